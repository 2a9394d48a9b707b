"""Microsoft's products by the `serviceSource` of their alerts, as people call them. Pure."""

SOURCES = {
    "azureAdIdentityProtection": "Entra ID Protection",
    "dataLossPrevention": "Purview DLP",
    "microsoftAppGovernance": "App governance",
    "microsoft365Defender": "Defender XDR",
    "microsoftDefenderXDR": "Defender XDR",
    "microsoftDefenderForCloud": "Defender for Cloud",
    "microsoftDefenderForCloudApps": "Defender for Cloud Apps",
    "microsoftDefenderForEndpoint": "Defender for Endpoint",
    "microsoftDefenderForIdentity": "Defender for Identity",
    "microsoftDefenderForOffice365": "Defender for Office 365",
    "microsoftInsiderRiskManagement": "Purview Insider Risk",
    "microsoftSecurityForAI": "Security for AI",
    "microsoftSentinel": "Sentinel",
    "microsoftThreatIntelligence": "Threat Intelligence",
}
