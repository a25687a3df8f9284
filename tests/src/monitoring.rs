//! What monitoring sees of a story's world, and the canary that its operator set up.

use host::Admin;
use jiff::SignedDuration;
use model::Canary;
use responder::CanarySettings;
use simulator::{NewGroup, NewUser};
use wire::Call;

use crate::{Group, Guest, Heard, World};

impl World {
    /// What this process answers to monitoring.
    pub async fn monitor(&self, path: &str) -> Heard {
        self.monitor_by(self.assembly.admin(&self.parts.meter), path).await
    }

    async fn monitor_by(&self, admin: Admin, path: &str) -> Heard {
        let (base, _stop) = self.serve_beside(admin.router(), host::Limits::default()).await;
        self.get_at(&base, path).await
    }

    /// The value of one metric, with its labels as they are written; `None` where it is absent.
    pub async fn metric(&self, name: &str) -> Option<f64> {
        self.metric_by(self.assembly.admin(&self.parts.meter), name).await
    }

    /// As a process says it that shows this to monitoring.
    pub async fn metric_by(&self, admin: Admin, name: &str) -> Option<f64> {
        let body = self.monitor_by(admin, "/metrics").await.body;
        let value = |line: &str| line.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned);
        body.lines().find_map(value).map(|value| value.parse().unwrap())
    }

    pub async fn get_at(&self, base: &url::Url, path: &str) -> Heard {
        let reply = self.assembly.wire.send(Call::get(base.join(path).unwrap())).await.unwrap();
        Heard::of(&reply)
    }

    /// An account and a group for the canary, as an operator makes them; Guestlist starts again with their ids.
    pub async fn with_canary(&mut self) -> (Guest, Group) {
        let pair = self.canary_pair();
        self.set_canary(pair).await;
        pair
    }

    #[must_use]
    pub fn canary_pair(&self) -> (Guest, Group) {
        self.unnoticed(|tenant| {
            let name = Some("guestlist-canary".to_owned());
            let account = NewUser { name, ..NewUser::member("guestlist-canary@contoso.com") };
            let user = Guest(tenant.0.add_user(account));
            (user, Group(tenant.0.create_group(NewGroup::named("guestlist-canary"))))
        })
    }

    pub async fn set_canary(&mut self, (user, group): (Guest, Group)) {
        let within = SignedDuration::from_mins(30);
        self.assembly.settings.canary = Some(CanarySettings { user: user.id(), group: group.id(), within });
        self.restart().await;
    }

    /// What the process does of it every few seconds.
    pub async fn look_after_the_canary(&self) {
        self.parts.canary.as_ref().unwrap().look().await.unwrap();
    }

    /// An hour passes, with the canary looked after at its end.
    pub async fn an_hour_later(&mut self) {
        let next = self.clock.now().checked_add(SignedDuration::from_hours(1)).unwrap();
        self.settle_for(SignedDuration::from_hours(1)).await;
        self.clock.advance_to(next);
        self.look_after_the_canary().await;
    }

    pub async fn canary(&self) -> Canary {
        self.store.ledger.canary().await.unwrap().expect("a canary").value
    }
}
