//! A ledger in memory, and incidents to write into it.

use embedded::Database;
use guestlist_ledger::Ledger;
use jiff::Timestamp;
use model::{
    Action, ChannelName, Correlation, Finding, GuestKind, Incident, IncidentKey, Mode, ObjectId, Plan,
    Routes, RuleId, Severity, Sighting, Snapshot, Step, Subject, TenantId,
};

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

pub(crate) fn tenant() -> TenantId {
    TenantId::from_u128(1)
}

pub(crate) fn ledger() -> Ledger {
    Ledger::sqlite(Database::in_memory().unwrap(), tenant()).unwrap()
}

pub(crate) fn guest(n: u128) -> ObjectId {
    ObjectId::from_u128(0xA000 + n)
}

pub(crate) fn rule(text: &str) -> RuleId {
    text.parse().unwrap()
}

pub(crate) fn key(n: u128, name: &str) -> IncidentKey {
    IncidentKey { tenant: tenant(), guest: guest(n), rule: rule(name), object: None }
}

pub(crate) fn routes() -> Routes {
    Routes(vec![(ChannelName("slack".to_owned()), Severity::Low)])
}

/// A breach that waits to be acted on.
pub(crate) fn incident(key: IncidentKey, before: Option<&Incident>, second: i64) -> Incident {
    let subject = Subject {
        id: key.guest,
        kind: GuestKind::Guest,
        name: Some("Mallory".to_owned()),
        addresses: vec!["mallory@evil.example".to_owned()],
        organisation: Some("evil.example".to_owned()),
        sponsors: Vec::new(),
        created_at: Some(at(0)),
        enabled: Some(true),
    };
    let finding = Finding {
        rule: key.rule.clone(),
        object: None,
        severity: Severity::High,
        why: None,
        reasons: vec!["`evil.example` is blocked".to_owned()],
        mode: Mode::Enforce,
        held_back: Vec::new(),
        actions: vec![Action::Disable],
        plan: Plan { steps: vec![Step::Disable { user: key.guest }] },
        by_hand: Vec::new(),
        names: std::collections::BTreeMap::new(),
        unknown: false,
        refused: None,
    };
    let correlation = Correlation::from_u128(7);
    let snapshot = Snapshot { enabled: Some(true), ..Snapshot::default() };
    let met = Sighting { subject, finding, snapshot, told_with: None, correlation };
    Incident::open(key, before, met, &routes(), at(second))
}
