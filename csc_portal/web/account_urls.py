"""Addresses of signing in and of one's own account; part of csc_portal/urls.py."""

from django.urls import path

from csc_portal.web import (
    account,
    challenges,
    factors,
    microsoft,
    reauth,
    sign_in_settings,
    signin,
)

ACCOUNT = [
    path("account/login/", signin.SignIn.as_view(), name="login"),
    path("account/login/second/", signin.SecondFactor.as_view(), name="second-factor"),
    path("account/login/passkey/", signin.passkey_sign_in, name="passkey-login"),
    path("account/logout/", signin.sign_out, name="logout"),
    path("account/microsoft/", microsoft.start, name="microsoft"),
    path("account/microsoft/done/", microsoft.done, name="microsoft-done"),
    path("account/microsoft/confirmed/", microsoft.confirmed, name="microsoft-confirmed"),
    path("account/microsoft/leave/", microsoft.leave_too, name="microsoft-leave"),
    path("account/again/", reauth.again, name="again"),
    path("account/challenge/", challenges.ask, name="challenge"),
    path("account/password/", account.ChangePassword.as_view(), name="password"),
    path("account/security/", factors.security, name="security"),
    path("account/totp/begin/", factors.totp_begin, name="totp-begin"),
    path("account/totp/", factors.totp_page, name="totp"),
    path("account/totp/remove/", factors.totp_remove, name="totp-remove"),
    path("account/passkeys/options/", factors.passkey_options, name="passkey-options"),
    path("account/passkeys/", factors.passkey_add, name="passkey-add"),
    path(
        "account/passkeys/<uuid:public_id>/remove/", factors.passkey_remove, name="passkey-remove"
    ),
    path("account/recovery/", factors.recovery_codes, name="recovery-codes"),
    path("account/sessions/end/", factors.sessions_end, name="sessions-end"),
    path("account/sessions/<uuid:public_id>/end/", factors.session_end, name="session-end"),
    path("settings/sign-in/", sign_in_settings.sign_in_settings, name="sign-in-settings"),
    path(
        "settings/sign-in/<uuid:public_id>/remove/",
        sign_in_settings.mapping_remove,
        name="mapping-remove",
    ),
    path("settings/people/", sign_in_settings.sign_in_people, name="sign-in-people"),
    path(
        "settings/people/<int:pk>/sign-out/",
        sign_in_settings.person_sign_out,
        name="person-sign-out",
    ),
    path("settings/people/<int:pk>/reset/", sign_in_settings.person_reset, name="person-reset"),
]
