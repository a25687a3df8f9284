//! The policy's own tests: a few written words become the facts about a guest who does not exist.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use model::{GuestKind, ObjectId, SponsorName};

use super::made_up::MadeUp;
use super::rules::RuleNames;
use super::{Compiler, Id};
use crate::expectation::Test;
use crate::facts::{Facts, Identity, Standing};
use crate::file::{self, InviterSource, TestGuest, TestInviter, Text, Words};
use crate::group::{Membership, Memberships, Relation};
use crate::inviter::{InvitedBy, Inviter, InviterKind};
use crate::policy::{Policy, start_of};

/// Stands for our own tenant. The name can never exist (<https://www.rfc-editor.org/rfc/rfc6761#section-6.4>), so that no
/// guest of a test is of it by accident.
const OUR_DOMAIN: &str = "tenant.invalid";

impl Compiler<'_> {
    pub(super) fn tests(
        &mut self,
        tests: &[file::TestCase],
        names: &RuleNames,
        policy: &Policy,
    ) -> Vec<Test> {
        tests.iter().filter_map(|test| self.test(test, names, policy)).collect()
    }

    fn test(&mut self, test: &file::TestCase, names: &RuleNames, policy: &Policy) -> Option<Test> {
        let file::TestCase { name, guest, expect, on } = test;
        let now = match on {
            Some(on) => self.day(on).and_then(start_of),
            None => Some(Timestamp::UNIX_EPOCH),
        };
        let facts = self.facts(guest, now.unwrap_or_default(), policy);
        let mut expected = BTreeMap::new();
        for (rule, actions) in &expect.0 {
            let actions = self.words(actions);
            if let Some(rule) = self.known_rule(rule, names) {
                expected.insert(rule, actions.into_iter().collect());
            }
        }
        Some(Test {
            name: name.value.clone(),
            line: name.place.line,
            column: name.place.column,
            facts: facts?,
            now: now?,
            expect: expected,
        })
    }

    fn facts(&mut self, guest: &TestGuest, now: Timestamp, policy: &Policy) -> Option<Facts> {
        let TestGuest {
            id,
            mail,
            other_mails,
            proxy_addresses,
            invited,
            kind,
            upn,
            created,
            pending,
            inviter,
            sponsors,
            member_of,
            owner_of,
        } = guest;
        let mut made_up = MadeUp::of(policy);
        let mut memberships = self.made_up_groups(Relation::Member, member_of.as_ref(), &mut made_up)?;
        memberships.extend(self.made_up_groups(Relation::Owner, owner_of.as_ref(), &mut made_up)?);
        let MadeUpInviter { inviter, groups } = self.made_up_inviter(inviter.as_ref(), &mut made_up)?;
        let id = match id {
            Some(id) => self.object_id(id, Id::User),
            None => Some(ObjectId::from_u128(0)),
        };
        let kind = match kind {
            Some(kind) => self.word(kind),
            None => Some(GuestKind::Guest),
        };
        let pending = pending.as_ref().filter(|pending| pending.value);
        if let (Some(pending), Some(GuestKind::LocalGuest)) = (pending, kind) {
            let hint = "remove `pending`, or make it another kind".to_owned();
            self.problem(
                pending.place,
                "a local guest was not invited, and has nothing to accept",
                Some(hint),
            );
        }
        let created_at = match created {
            Some(created) => self.day(created).and_then(start_of)?,
            None => now,
        };
        let sponsors = match sponsors {
            Some(sponsors) => self.sponsors(sponsors, 0)?,
            None => 0,
        };
        let sponsor = |number: usize| SponsorName { id: person(number), name: None };
        let (user_type, identities) = sign_in(kind?);
        Some(Facts {
            user_type: Some(user_type.to_owned()),
            identities: Some(identities),
            mail: mail.clone(),
            other_mails: Some(texts(other_mails.as_ref())),
            proxy_addresses: Some(texts(proxy_addresses.as_ref())),
            user_principal_name: upn.clone(),
            invited_address: invited.clone(),
            external_user_state: pending.map(|_| "PendingAcceptance".to_owned()),
            created_at: Some(created_at),
            sponsors: Some((0..sponsors).map(sponsor).collect()),
            inviter,
            verified_domains: Some(vec![OUR_DOMAIN.to_owned()]),
            standing: standing(&memberships),
            named_groups: made_up.names(memberships.iter().chain(&groups)),
            memberships: Memberships::Known(memberships),
            ..Facts::unread(id?)
        })
    }

    fn made_up_inviter(
        &mut self,
        inviter: Option<&TestInviter>,
        made_up: &mut MadeUp,
    ) -> Option<MadeUpInviter> {
        let Some(TestInviter { id, kind, mail, member_of, source }) = inviter else {
            let by = InvitedBy {
                id: Some(person(0)),
                name: None,
                kind: Some(InviterKind::InternalMember),
                addresses: Some(vec![format!("inviter@{OUR_DOMAIN}")]),
                groups: Some(BTreeSet::new()),
                ..InvitedBy::unread()
            };
            return Some(MadeUpInviter { inviter: Inviter::Audit(by), groups: Vec::new() });
        };
        let groups = self.made_up_groups(Relation::Member, member_of.as_ref(), made_up)?;
        let kind = match kind {
            Some(kind) => self.word(kind)?,
            None => InviterKind::InternalMember,
        };
        let nobody_else = match kind {
            InviterKind::InternalMember | InviterKind::LocalGuest => Some(format!("inviter@{OUR_DOMAIN}")),
            InviterKind::Guest | InviterKind::ExternalMember | InviterKind::App => None,
        };
        let by = InvitedBy {
            id: Some(match id {
                Some(id) => self.object_id(id, Id::Inviter)?,
                None => person(0),
            }),
            name: None,
            kind: Some(kind),
            addresses: Some(mail.clone().or(nobody_else).into_iter().collect()),
            groups: Some(groups.iter().map(|membership| membership.group.id).collect()),
            ..InvitedBy::unread()
        };
        let source = match source {
            Some(source) => self.word(source)?,
            None => InviterSource::Audit,
        };
        let inviter = match source {
            InviterSource::Audit => Inviter::Audit(by),
            InviterSource::Sponsor => Inviter::Sponsors(vec![by]),
            InviterSource::Unknown => Inviter::Unreadable { why: "the test says so".to_owned() },
        };
        Some(MadeUpInviter { inviter, groups })
    }
}

struct MadeUpInviter {
    inviter: Inviter,
    /// In which it is.
    groups: Vec<Membership>,
}

/// Somebody whom no policy names.
fn person(number: usize) -> ObjectId {
    let number = u128::try_from(number).unwrap_or_default();
    ObjectId::from_u128(u128::MAX - number)
}

fn standing(memberships: &[Membership]) -> Standing {
    let member = memberships.iter().filter(|membership| membership.relation == Relation::Member);
    let role_assignable = memberships.iter().map(|membership| &membership.group);
    let role_assignable = role_assignable.filter(|group| group.role_assignable == Some(true));
    Standing::Known {
        directory_roles: Vec::new(),
        role_assignable_groups: role_assignable.map(|group| group.id).collect(),
        groups: member.map(|membership| membership.group.id).collect(),
    }
}

fn texts(words: Option<&Words<Text>>) -> Vec<String> {
    words.map(|words| words.items.iter().map(|text| text.value.clone()).collect()).unwrap_or_default()
}

/// As Graph shows the kinds.
fn sign_in(kind: GuestKind) -> (&'static str, Vec<Identity>) {
    let identity = |sign_in_type: &str, issuer: &str| Identity {
        sign_in_type: Some(sign_in_type.to_owned()),
        issuer: Some(issuer.to_owned()),
        issuer_assigned_id: None,
    };
    let host = identity("userPrincipalName", OUR_DOMAIN);
    let external = identity("federated", "ExternalAzureAD");
    match kind {
        GuestKind::Guest => ("Guest", vec![external, host]),
        GuestKind::ExternalMember => ("Member", vec![external, host]),
        GuestKind::LocalGuest => ("Guest", vec![host]),
    }
}
