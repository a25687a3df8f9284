//! An incident of one guest, and what is seen of him.

use std::collections::BTreeMap;

use guestlist_model::{
    Action, ChannelName, Correlation, Finding, GuestKind, Incident, IncidentKey, Mode, ObjectId, Plan,
    RequestId, Routes, Severity, Sighting, Snapshot, Step, Subject, TenantId,
};
use jiff::{SignedDuration, Timestamp};

pub(crate) const GUEST: ObjectId = ObjectId::from_u128(7);

pub(crate) fn start() -> Timestamp {
    "2026-11-20T09:00:00Z".parse().unwrap()
}

pub(crate) fn request() -> RequestId {
    RequestId("req-1".to_owned())
}

pub(crate) fn after(seconds: i64) -> Timestamp {
    start().checked_add(SignedDuration::from_secs(seconds)).unwrap()
}

pub(crate) fn routes() -> Routes {
    Routes(vec![
        (ChannelName("slack".to_owned()), Severity::Low),
        (ChannelName("pager".to_owned()), Severity::Critical),
    ])
}

pub(crate) fn finding(mode: Mode) -> Finding {
    Finding {
        rule: "blocked-domain".parse().unwrap(),
        object: None,
        severity: Severity::High,
        why: None,
        reasons: vec!["mail".to_owned()],
        mode,
        held_back: Vec::new(),
        actions: vec![Action::Disable],
        plan: Plan { steps: vec![Step::Disable { user: GUEST }] },
        by_hand: Vec::new(),
        names: BTreeMap::new(),
        unknown: false,
        refused: None,
    }
}

pub(crate) fn met(finding: Finding, enabled: bool) -> Sighting {
    let subject = Subject {
        id: GUEST,
        kind: GuestKind::Guest,
        name: None,
        addresses: vec!["mallory@evil.example".to_owned()],
        organisation: None,
        sponsors: Vec::new(),
        created_at: None,
        enabled: Some(enabled),
    };
    let snapshot = Snapshot { enabled: Some(enabled), ..Snapshot::default() };
    Sighting { subject, finding, snapshot, told_with: None, correlation: Correlation::from_u128(1) }
}

pub(crate) fn opened(mode: Mode) -> Incident {
    let rule = "blocked-domain".parse().unwrap();
    let key = IncidentKey { tenant: TenantId::from_u128(1), guest: GUEST, rule, object: None };
    Incident::open(key, None, met(finding(mode), true), &routes(), start())
}

/// A read shows all that the plan wants.
pub(crate) fn all_done(incident: &mut Incident, at: Timestamp) {
    for step in incident.plan().steps.clone() {
        incident.achieve(step, false, at);
    }
    incident.done(Vec::new(), &routes(), at);
}

pub(crate) fn due(incident: &Incident, at: Timestamp) -> usize {
    incident.deliveries_due(at).count()
}
