//! `guestlist simulator`: the simulated tenant alone, and a simulated chat that prints what it is told.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context as _;
use jiff::Timestamp;
use simulator::{Options, Simulator};

use super::chat::Chat;
use super::words;
use crate::args::{self, Output};
use crate::exit::Exit;
use crate::out;

pub(crate) async fn run(arguments: args::Simulator, output: Output) -> anyhow::Result<Exit> {
    let mut options = Options::contoso(Arc::new(Timestamp::now));
    options.listen = arguments.listen;
    options.record = arguments.record;
    options.receivers = vec![(super::demo::PUBLIC_URL.to_owned(), arguments.receiver)];
    let (apps, tenant) = (options.apps.clone(), options.tenant);
    let simulator = Simulator::start(options).await?;
    let chat = Chat::open(|text| out::message(&format!("\ntold in chat:\n{text}"))).await?;
    let url = simulator.url();
    // Another tenant's store is not for this one, and this tenant is gone at the end.
    let folder = tempfile::tempdir().context("failed to make a folder for the store")?;
    let data = folder.path().join("data").display().to_string();
    let mut settings = BTreeMap::from([
        ("GUESTLIST_TENANT_ID".to_owned(), tenant.to_string()),
        ("GUESTLIST_LOGIN_URL".to_owned(), url.clone()),
        ("GUESTLIST_GRAPH_URL".to_owned(), url.clone()),
        ("GUESTLIST_PUBLIC_URL".to_owned(), super::demo::PUBLIC_URL.to_owned()),
        ("GUESTLIST_SLACK_WEBHOOK_URL".to_owned(), chat.url.clone()),
        ("GUESTLIST_DATA".to_owned(), data),
    ]);
    for (prefix, app) in ["READ", "WRITE"].into_iter().zip(apps) {
        settings.insert(format!("GUESTLIST_{prefix}_CLIENT_ID"), app.client_id.to_string());
        settings.insert(format!("GUESTLIST_{prefix}_CLIENT_SECRET"), app.secret.unwrap_or_default());
    }
    out::message(&format!(
        "a simulated tenant is at {url}; what can be done in it: GET {url}/control/acts\n\
         every other command needs these settings, and two of your own: GUESTLIST_POLICY, the path of your policy, and \
         GUESTLIST_AT_MOST, which is observe, ask or enforce. Set them all in another shell, and run `{ourselves} serve` \
         there; set them in a third one for the other commands. The folder GUESTLIST_DATA is gone when this ends:",
        ourselves = words::ourselves()
    ));
    out::show(output, &settings, |settings| {
        settings.iter().try_for_each(|(name, value)| out::line(&format!("export {name}='{value}'")))
    })?;
    host::asked_to_stop().await;
    simulator.stop().await;
    Ok(Exit::Well)
}
