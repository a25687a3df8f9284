//! `guestlist simulator`: the simulated tenant alone, and a simulated chat that prints what it is told.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use simulator::{Options, Simulator};

use super::chat::Chat;
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
    let mut settings = BTreeMap::from([
        ("GUESTLIST_TENANT_ID".to_owned(), tenant.to_string()),
        ("GUESTLIST_LOGIN_URL".to_owned(), url.clone()),
        ("GUESTLIST_GRAPH_URL".to_owned(), url.clone()),
        ("GUESTLIST_PUBLIC_URL".to_owned(), super::demo::PUBLIC_URL.to_owned()),
        ("GUESTLIST_SLACK_WEBHOOK_URL".to_owned(), chat.url.clone()),
    ]);
    for (prefix, app) in ["READ", "WRITE"].into_iter().zip(apps) {
        settings.insert(format!("GUESTLIST_{prefix}_CLIENT_ID"), app.client_id.to_string());
        settings.insert(format!("GUESTLIST_{prefix}_CLIENT_SECRET"), app.secret.unwrap_or_default());
    }
    out::message(&format!(
        "a simulated tenant is at {url}; what can be done in it: GET {url}/control/acts\n\
         set these in another shell, with GUESTLIST_POLICY and GUESTLIST_AT_MOST of your own, and run `guestlist serve` \
         there:"
    ));
    out::show(output, &settings, |settings| {
        settings.iter().try_for_each(|(name, value)| out::line(&format!("export {name}='{value}'")))
    })?;
    host::asked_to_stop().await;
    simulator.stop().await;
    Ok(Exit::Well)
}
