//! Which application permissions allow which call, as Microsoft's permissions reference lists them (least and higher).
//! Lists are alternatives: one of them is enough. Further conditions on single objects are with the calls.
use crate::odata::Type;

pub(crate) const READ_USERS: &[&str] =
    &["User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"];
pub(crate) const READ_SPONSORS: &[&str] = &["User.Read.All", "User.ReadWrite.All"];
pub(crate) const WRITE_USERS: &[&str] = &["User.ReadWrite.All", "Directory.ReadWrite.All"];
pub(crate) const ENABLE_USERS: &[&str] =
    &["User.EnableDisableAccount.All", "User.ReadWrite.All", "Directory.ReadWrite.All"];
pub(crate) const DELETE_USERS: &[&str] = &["User.DeleteRestore.All", "User.ReadWrite.All"];
pub(crate) const REVOKE: &[&str] =
    &["User.RevokeSessions.All", "User.ReadWrite.All", "Directory.ReadWrite.All"];
pub(crate) const INVITE: &[&str] = &["User.Invite.All", "User.ReadWrite.All", "Directory.ReadWrite.All"];

pub(crate) const MEMBER_OF: &[&str] = &[
    "Directory.Read.All",
    "Directory.ReadWrite.All",
    "Group.ReadBasic.All",
    "GroupMember.ReadBasic.All",
    "Group.Read.All",
    "GroupMember.Read.All",
    "User.Read.All",
];
pub(crate) const OWNED: &[&str] =
    &["User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"];

pub(crate) const READ_GROUPS: &[&str] = &[
    "Group.Read.All",
    "Group.ReadWrite.All",
    "GroupMember.Read.All",
    "Directory.Read.All",
    "Directory.ReadWrite.All",
];
pub(crate) const CREATE_GROUPS: &[&str] = &["Group.Create", "Group.ReadWrite.All", "Directory.ReadWrite.All"];
pub(crate) const WRITE_GROUPS: &[&str] = &["Group.ReadWrite.All", "Directory.ReadWrite.All"];
pub(crate) const DELETE_GROUPS: &[&str] = &["Group.ReadWrite.All"];
pub(crate) const READ_MEMBERS: &[&str] = &[
    "GroupMember.ReadBasic.All",
    "GroupMember.Read.All",
    "GroupMember.ReadWrite.All",
    "Group.ReadBasic.All",
    "Group.Read.All",
    "Group.ReadWrite.All",
    "Directory.Read.All",
];
pub(crate) const WRITE_MEMBERS: &[&str] =
    &["GroupMember.ReadWrite.All", "Group.ReadWrite.All", "Directory.ReadWrite.All"];
pub(crate) const READ_OWNERS: &[&str] = &[
    "GroupMember.Read.All",
    "GroupMember.ReadWrite.All",
    "Group.Read.All",
    "Group.ReadWrite.All",
    "Directory.Read.All",
];
/// Links of role-assignable groups need this beside the permission to write links.
pub(crate) const WRITE_ROLES: &str = "RoleManagement.ReadWrite.Directory";

pub(crate) const READ_DELETED: &[&str] = &[
    "User.Read.All",
    "User.ReadWrite.All",
    "Group.Read.All",
    "Group.ReadWrite.All",
    "Directory.Read.All",
    "User.DeleteRestore.All",
];
pub(crate) const READ_DELETED_USERS: &[&str] =
    &["User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "User.DeleteRestore.All"];
pub(crate) const READ_DELETED_GROUPS: &[&str] =
    &["Group.Read.All", "Group.ReadWrite.All", "Directory.Read.All"];
pub(crate) const RESTORE: &[&str] = &["User.DeleteRestore.All", "User.ReadWrite.All", "Group.ReadWrite.All"];
pub(crate) const PURGE: &[&str] = &["User.DeleteRestore.All"];

pub(crate) const READ_OBJECTS: &[&str] = &["Directory.Read.All", "Directory.ReadWrite.All"];
pub(crate) const READ_ORGANIZATION: &[&str] = &[
    "Organization.Read.All",
    "Organization.ReadWrite.All",
    "User.Read.All",
    "Directory.Read.All",
    "Directory.ReadWrite.All",
];
pub(crate) const READ_AUDIT_LOG: &str = "AuditLog.Read.All";
pub(crate) const READ_AUDIT: &[&str] = &[READ_AUDIT_LOG, "Directory.Read.All"];
pub(crate) const SUBSCRIBE_USERS: &str = "User.Read.All";
pub(crate) const SUBSCRIBE_GROUPS: &str = "Group.Read.All";
pub(crate) const SUBSCRIBE: &[&str] = &[SUBSCRIBE_USERS, SUBSCRIBE_GROUPS];

const READ_ROLES: &[&str] = &[
    "RoleManagement.Read.Directory",
    "RoleManagement.ReadWrite.Directory",
    "RoleManagement.Read.All",
    "Directory.Read.All",
    "Directory.ReadWrite.All",
];
const READ_GROUPS_IN_COLLECTIONS: &[&str] = &[
    "Group.Read.All",
    "Group.ReadWrite.All",
    "Group.ReadBasic.All",
    "GroupMember.Read.All",
    "GroupMember.ReadWrite.All",
    "Directory.Read.All",
    "Directory.ReadWrite.All",
];
const READ_APPLICATIONS: &[&str] =
    &["Application.Read.All", "Application.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"];
const READ_DEVICES: &[&str] =
    &["Device.Read.All", "Device.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"];

/// What lets a caller see more than type and id of an object in a collection of mixed types.
pub(crate) fn readers_of(of: Type) -> &'static [&'static str] {
    match of {
        Type::User => READ_USERS,
        Type::Group => READ_GROUPS_IN_COLLECTIONS,
        Type::Role => READ_ROLES,
        Type::ServicePrincipal => READ_APPLICATIONS,
        Type::Device => READ_DEVICES,
        Type::Organization => READ_ORGANIZATION,
        Type::DirectoryObject | Type::Audit | Type::Subscription => READ_OBJECTS,
    }
}
