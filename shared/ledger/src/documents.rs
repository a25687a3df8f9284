//! Where each of the model's types lies, and when it is due.

use jiff::Timestamp;
use model::{
    Breaker, ChannelState, Delta, InForce, Incident, Listing, Notice, Request, RequestState, Stop,
    SubscriptionRecord, Suspension,
};

use crate::Document;

impl Document for Incident {
    const KIND: &'static str = "incident";

    fn sort(&self) -> String {
        self.id.slot.to_string()
    }

    fn due(&self) -> Option<Timestamp> {
        self.due_at()
    }
}

impl Document for Suspension {
    const KIND: &'static str = "suspension";

    fn sort(&self) -> String {
        match self.object {
            None => format!("{}/{}", self.guest, self.rule),
            Some(object) => format!("{}/{}/{object}", self.guest, self.rule),
        }
    }

    fn due(&self) -> Option<Timestamp> {
        Some(self.due_at())
    }
}

impl Document for Stop {
    const KIND: &'static str = "stop";

    /// There is one of them.
    fn sort(&self) -> String {
        "writes".to_owned()
    }

    fn due(&self) -> Option<Timestamp> {
        None
    }
}

impl Document for Breaker {
    const KIND: &'static str = "breaker";

    /// There is one of them.
    fn sort(&self) -> String {
        "writes".to_owned()
    }

    fn due(&self) -> Option<Timestamp> {
        None
    }
}

impl Document for SubscriptionRecord {
    const KIND: &'static str = "subscription";

    fn sort(&self) -> String {
        self.nonce.to_string()
    }

    /// They are few and looked at together.
    fn due(&self) -> Option<Timestamp> {
        None
    }
}

impl Document for Request {
    const KIND: &'static str = "request";

    fn sort(&self) -> String {
        self.id.to_string()
    }

    fn due(&self) -> Option<Timestamp> {
        match self.state {
            RequestState::Waiting => Some(self.asked_at),
            RequestState::Answered { at: _, answer: _ } => None,
        }
    }
}

impl Document for Notice {
    const KIND: &'static str = "notice";

    fn sort(&self) -> String {
        self.key.clone()
    }

    fn due(&self) -> Option<Timestamp> {
        self.due_at()
    }
}

impl Document for ChannelState {
    const KIND: &'static str = "channel";

    fn sort(&self) -> String {
        self.name.to_string()
    }

    fn due(&self) -> Option<Timestamp> {
        self.roll_up_at.or_else(|| self.broken.as_ref().map(|(since, _)| *since))
    }
}

impl Document for Delta {
    const KIND: &'static str = "delta";

    fn sort(&self) -> String {
        self.resource.to_string()
    }

    fn due(&self) -> Option<Timestamp> {
        None
    }
}

impl Document for InForce {
    const KIND: &'static str = "in-force";

    /// There is one of them.
    fn sort(&self) -> String {
        "policy".to_owned()
    }

    fn due(&self) -> Option<Timestamp> {
        None
    }
}

impl Document for Listing {
    const KIND: &'static str = "listing";

    /// There is one of them.
    fn sort(&self) -> String {
        "users".to_owned()
    }

    fn due(&self) -> Option<Timestamp> {
        None
    }
}
