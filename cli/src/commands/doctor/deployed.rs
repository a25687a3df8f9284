//! What `doctor` can know of a deployment on AWS from outside: the table, the queues, who this is, the stop, the clock, the callback.
//! The apps are the functions', and nobody else signs in as they do.

use host::{Settings, Store};
use jiff::Timestamp;
use wire::Wire;

use super::super::status::ceiling_of;
use super::super::{queues, store_of};
use super::{Report, callback, ceiling, held, skew};
use crate::args::Doctor;

pub(super) async fn examine(settings: &Settings, doctor: &Doctor, report: &mut Report) -> anyhow::Result<()> {
    let wire = Wire::network()?;
    report.well("settings", "complete");
    who(settings, &wire, report).await;
    match store_of(settings).await {
        Ok(Some(store)) => {
            report.well("store", "the table can be read");
            look_into(&store, report).await;
        }
        Ok(None) => report.wrong("store", "there is none"),
        Err(error) => report.wrong("store", format!("{error:#}")),
    }
    skew(settings, &wire, report).await;
    callback(settings, &wire, report).await;
    report.warn(
        "apps, policy, channels",
        "not looked at: only the functions have them; `guestlist status` and the alarms say whether they do their work",
    );
    if doctor.send_test {
        report.wrong("channels", "no test message was sent: only the function `alert` has their secrets");
    }
    Ok(())
}

async fn who(settings: &Settings, wire: &Wire, report: &mut Report) {
    let Some(aws) = &settings.aws else { return };
    match aws.caller(wire.clone()).await {
        Ok(caller) => report.well("credentials", format!("`{caller}` in `{}`", aws.region)),
        Err(error) => report.wrong("credentials", format!("{error:#}")),
    }
}

async fn look_into(store: &Store, report: &mut Report) {
    for (name, queue) in queues(store) {
        // Asks the dead-letter queue and the table's index, too.
        match queue.depth(Timestamp::now()).await {
            Ok(depth) => report.well("queue", format!("`{name}` is there, with {} dead letters", depth.dead)),
            Err(error) => {
                let (name, mend) = (name.to_uppercase(), "see GUESTLIST_QUEUE_");
                report.wrong("queue", format!("failed to {error}; {mend}{name} and GUESTLIST_DEAD_{name}"));
            }
        }
    }
    held(store, report).await;
    match store.ledger.in_force().await.map(|stored| stored.and_then(|stored| ceiling_of(&stored.value))) {
        Ok(Some(at_most)) => ceiling(at_most, report),
        Ok(None) => report.warn("ceiling", "not known: `assess` has not judged yet"),
        Err(error) => report.wrong("ceiling", format!("failed to {error}")),
    }
}
