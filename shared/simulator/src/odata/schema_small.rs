//! The properties of the smaller types of Microsoft's published metadata. Facts only, no behaviour.
use super::schema::{Property, date, flag, object, objects, text, texts};

pub(super) const ORGANIZATION: &[Property] = &[
    text("id").by_default().read_only().filter("eq ne not in"),
    date("deletedDateTime").by_default().read_only(),
    objects("assignedPlans").by_default(),
    texts("businessPhones").by_default(),
    text("city").by_default(),
    text("country").by_default(),
    text("countryLetterCode").by_default(),
    date("createdDateTime").by_default().read_only(),
    text("defaultUsageLocation").by_default(),
    text("displayName").by_default(),
    texts("marketingNotificationEmails").by_default(),
    date("onPremisesLastSyncDateTime").by_default().read_only(),
    flag("onPremisesSyncEnabled").by_default(),
    object("partnerTenantType").by_default(),
    text("postalCode").by_default(),
    text("preferredLanguage").by_default(),
    object("privacyProfile").by_default(),
    objects("provisionedPlans").by_default(),
    texts("securityComplianceNotificationMails").by_default(),
    texts("securityComplianceNotificationPhones").by_default(),
    text("state").by_default(),
    text("street").by_default(),
    texts("technicalNotificationMails").by_default(),
    text("tenantType").by_default(),
    objects("verifiedDomains").by_default(),
];

pub(super) const AUDIT: &[Property] = &[
    text("id").by_default().read_only().filter("eq"),
    date("activityDateTime").never_null().by_default().filter("eq ge le"),
    text("activityDisplayName").never_null().by_default().filter("eq startsWith"),
    objects("additionalDetails").by_default(),
    text("category").never_null().by_default(),
    text("correlationId").by_default().filter("eq"),
    object("initiatedBy").never_null().by_default(),
    text("loggedByService").by_default().filter("eq"),
    text("operationType").by_default(),
    object("result").by_default(),
    text("resultReason").by_default(),
    objects("targetResources").by_default().filter("eq"),
];

pub(super) const ROLE: &[Property] = &[
    text("id").by_default().read_only().filter("eq ne not in"),
    date("deletedDateTime").by_default().read_only(),
    text("description").by_default().read_only().filter("eq"),
    text("displayName").by_default().read_only().filter("eq"),
    text("roleTemplateId").by_default().filter("eq"),
];

pub(super) const SUBSCRIPTION: &[Property] = &[
    text("id").by_default().read_only().filter("eq ne not in"),
    text("applicationId").by_default().read_only(),
    text("changeType").never_null().by_default(),
    text("clientState").by_default().at_most(128),
    text("creatorId").by_default().read_only(),
    text("encryptionCertificate").by_default(),
    text("encryptionCertificateId").by_default(),
    date("expirationDateTime").never_null().by_default(),
    flag("includeResourceData").by_default(),
    text("latestSupportedTlsVersion").by_default(),
    text("lifecycleNotificationUrl").by_default(),
    text("notificationQueryOptions").by_default(),
    text("notificationUrl").never_null().by_default(),
    text("notificationUrlAppId").by_default(),
    text("resource").never_null().by_default(),
    text("vapidPublicKey"),
    text("webPushEncryptionP256dhPublicKey"),
    text("webPushEncryptionSecret"),
];

/// Service principals and devices, as far as collections of mixed types show them.
pub(super) const OTHER: &[Property] = &[
    text("id").by_default().read_only().filter("eq ne not in"),
    date("deletedDateTime").by_default().read_only(),
    text("displayName").by_default().filter("eq ne not ge le in startsWith"),
    flag("accountEnabled").by_default().filter("eq ne not in"),
];
