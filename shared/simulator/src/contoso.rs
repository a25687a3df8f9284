//! The tenant of the stories: ids that never change, two apps, and the people and groups that are there at the start.
use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::directory::NewUser;
use crate::group_acts::NewGroup;
use crate::options::App;
use crate::tenant::{GroupKind, Tenant, UserType};

pub const TENANT: Uuid = Uuid::from_u128(0xc0270500_0000_4000_8000_000000000000);
pub const READER: Uuid = Uuid::from_u128(0xc0270500_0000_4000_8000_00000000a001);
pub const WRITER: Uuid = Uuid::from_u128(0xc0270500_0000_4000_8000_00000000a002);
pub const READER_SECRET: &str = "reader-secret-of-the-simulator";
pub const WRITER_SECRET: &str = "writer-secret-of-the-simulator";

/// A member with the role Guest Inviter.
pub const ALICE: Uuid = Uuid::from_u128(0xa11ce000_0000_4000_8000_000000000001);
/// A member without any role.
pub const BOB: Uuid = Uuid::from_u128(0xb0b00000_0000_4000_8000_000000000002);
/// The Global Administrator.
pub const CAROL: Uuid = Uuid::from_u128(0xca201000_0000_4000_8000_000000000003);

/// `Marketing`, a team that Alice owns.
pub const MARKETING: Uuid = Uuid::from_u128(0x60000000_0000_4000_8000_000000000001);
/// `Finance Board`, a security group labelled Confidential.
pub const FINANCE: Uuid = Uuid::from_u128(0x60000000_0000_4000_8000_000000000002);
/// `Helpdesk Operators`, role-assignable.
pub const HELPDESK: Uuid = Uuid::from_u128(0x60000000_0000_4000_8000_000000000003);
/// `All Guests`, dynamic.
pub const ALL_GUESTS: Uuid = Uuid::from_u128(0x60000000_0000_4000_8000_000000000004);

/// The app that reads: what assessing and subscribing need.
pub fn reader() -> App {
    let roles = ["User.Read.All", "Group.Read.All", "GroupMember.Read.All", "AuditLog.Read.All"];
    App::with_secret(READER, READER_SECRET, &roles)
}

/// The app that writes: it can switch accounts on and off and change memberships, and read users and groups.
pub fn writer() -> App {
    let roles = [
        "User.EnableDisableAccount.All",
        "User.Read.All",
        "GroupMember.Read.All",
        "GroupMember.ReadWrite.All",
        "Group.ReadWrite.All",
    ];
    App::with_secret(WRITER, WRITER_SECRET, &roles)
}

pub(crate) fn populate(tenant: &mut Tenant, now: Timestamp) {
    // People who have been there for a year, so that nobody mistakes them for newcomers.
    let then = now.checked_sub(SignedDuration::from_hours(24 * 365)).unwrap_or(now);
    for (id, name, account) in [(ALICE, "Alice", "alice"), (BOB, "Bob", "bob"), (CAROL, "Carol", "carol")] {
        let upn = format!("{account}@{}", tenant.default_domain());
        let person =
            NewUser { user_principal_name: upn, name: Some(name.to_owned()), user_type: UserType::Member };
        let mut user = person.build(tenant, then);
        user.id = id;
        tenant.put_user(user, then);
    }
    for (role, holder) in [("Guest Inviter", ALICE), ("Global Administrator", CAROL)] {
        tenant.role_mut(role).holders.insert(holder);
    }
    let groups = [
        (MARKETING, NewGroup { kind: GroupKind::Team, owners: vec![ALICE], ..NewGroup::named("Marketing") }),
        (FINANCE, NewGroup { label: Some("Confidential".to_owned()), ..NewGroup::named("Finance Board") }),
        (HELPDESK, NewGroup { role_assignable: true, ..NewGroup::named("Helpdesk Operators") }),
        (
            ALL_GUESTS,
            NewGroup {
                dynamic: Some("(user.userType -eq \"Guest\")".to_owned()),
                ..NewGroup::named("All Guests")
            },
        ),
    ];
    for (id, new) in groups {
        let mut group = new.build(tenant, then);
        group.id = id;
        if id == FINANCE {
            group.members = BTreeSet::from([BOB]);
            group.owners = BTreeSet::from([CAROL]);
        }
        if id == HELPDESK {
            group.owners = BTreeSet::from([CAROL]);
        }
        tenant.put_group(group, then);
    }
    // Nobody is told about what was there before anybody could subscribe.
    tenant.unannounced.clear();
}
