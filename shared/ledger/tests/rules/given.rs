//! A store for each test, ledgers in it, and incidents to write into them.

use std::time::Duration;

use dynamo::Table;
use embedded::{Database, rusqlite};
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

/// Far more than a busy machine needs.
const PATIENCE: Duration = Duration::from_secs(90);

/// Of one test alone.
pub(crate) enum Store {
    Sqlite(tempfile::TempDir),
    /// The name of a table.
    Dynamo(String),
}

impl Store {
    pub(crate) fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().unwrap())
    }

    pub(crate) fn dynamo() -> Self {
        Self::Dynamo(emulator::create_table())
    }

    /// As another process opens it.
    pub(crate) fn ledger(&self) -> Ledger {
        self.ledger_of(tenant())
    }

    pub(crate) fn ledger_of(&self, tenant: TenantId) -> Ledger {
        match self {
            Self::Sqlite(folder) => {
                Ledger::sqlite(Database::open(&folder.path().join("guestlist.db")).unwrap(), tenant).unwrap()
            }
            Self::Dynamo(table) => {
                let config = emulator::config(emulator::address());
                Ledger::dynamo(Table::new(&config, table, PATIENCE), tenant)
            }
        }
    }

    /// Puts a body into the store behind the ledger's back, under the sort key `a`.
    pub(crate) async fn smuggle(&self, partition: String, body: &'static str) {
        match self {
            Self::Sqlite(folder) => {
                let database = Database::open(&folder.path().join("guestlist.db")).unwrap();
                let insert =
                    "INSERT INTO ledger_items (partition, sort, version, body) VALUES (?1, 'a', 1, ?2)";
                let insert = database.write(move |db| db.execute(insert, rusqlite::params![partition, body]));
                insert.await.unwrap();
            }
            Self::Dynamo(table) => {
                let text = |text: &str| serde_json::json!({ "S": text });
                let version = serde_json::json!({ "N": "1" });
                let item = serde_json::json!({ "pk": text(&partition), "sk": text("a"), "v": version, "b": text(body) });
                let put = serde_json::json!({ "TableName": table, "Item": item });
                let answer = emulator::ask("PutItem", &put.to_string());
                assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            }
        }
    }
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
