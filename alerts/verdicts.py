"""What a case can turn out to be, in Microsoft's words, and why people say so. Pure.

Pairs of classification and determination as the Defender portal offers them:
https://learn.microsoft.com/graph/api/resources/security-alert#alertdetermination-values
"""

from collections.abc import Mapping

TRUE_POSITIVE, EXPECTED, FALSE_POSITIVE = (
    "truePositive",
    "informationalExpectedActivity",
    "falsePositive",
)
VERDICTS: Mapping[str, str] = {
    TRUE_POSITIVE: "True positive",
    EXPECTED: "Expected activity",
    FALSE_POSITIVE: "False positive",
}
DETERMINATIONS: Mapping[str, Mapping[str, str]] = {
    TRUE_POSITIVE: {
        "multiStagedAttack": "Multi-staged attack",
        "maliciousUserActivity": "Malicious user activity",
        "compromisedAccount": "Compromised account",
        "malware": "Malware",
        "phishing": "Phishing",
        "unwantedSoftware": "Unwanted software",
        "other": "Other",
    },
    EXPECTED: {
        "securityTesting": "Security testing",
        "lineOfBusinessApplication": "Line-of-business application",
        "confirmedActivity": "Confirmed activity",
        "other": "Other",
    },
    FALSE_POSITIVE: {
        "notMalicious": "Not malicious",
        "notEnoughDataToValidate": "Not enough data to validate",
        "other": "Other",
    },
}
"""Verdict -> its determinations, with what people read."""

FALSE_POSITIVE_REASONS: Mapping[str, str] = {
    "known_activity": "The person or device does this regularly",
    "admin_work": "Work of administrators",
    "trusted_address": "A trusted network, VPN or proxy",
    "trusted_software": "Trusted software or script",
    "detection_too_broad": "The detection is too broad",
    "wrong_data": "The product had wrong or outdated data",
    "unstated": "Not stated",
}
SEVERITY_REASONS: Mapping[str, str] = {
    "asset_matters": "What is affected matters more than the product knows",
    "asset_minor": "What is affected matters less than the product knows",
    "evidence_worse": "The evidence shows more than the product says",
    "evidence_weak": "The evidence shows less than the product says",
    "contained": "It is contained already",
    "customer_wish": "Agreed with the customer",
}


def problem_of(
    verdict: str, determination: str = "", reason: str = "", *, ask: bool = False
) -> str:
    """What is wrong with a choice, as a sentence, or "". `ask`: a form, which wants the reason."""
    if verdict and verdict not in VERDICTS:
        return f"Choose a verdict of: {', '.join(VERDICTS.values())}."
    if determination and determination not in DETERMINATIONS.get(verdict, {}):
        allowed = ", ".join(DETERMINATIONS.get(verdict, {}).values()) or "none without a verdict"
        return f"Choose a determination that goes with the verdict: {allowed}."
    if reason and (verdict != FALSE_POSITIVE or reason not in FALSE_POSITIVE_REASONS):
        return f"Choose a reason of: {', '.join(FALSE_POSITIVE_REASONS.values())}."
    if ask and verdict == FALSE_POSITIVE and not reason:
        return "Choose a reason: why was it a false positive?"
    return ""
