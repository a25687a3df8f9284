//! `guestlist simulator`: the simulated tenant alone.

use std::sync::Arc;

use jiff::Timestamp;
use simulator::{Options, Simulator};

use crate::args;
use crate::exit::Exit;
use crate::out;

pub(crate) async fn run(arguments: args::Simulator) -> anyhow::Result<Exit> {
    if !arguments.listen.ip().is_loopback() {
        out::message("the simulated tenant listens on loopback only: it gives its secrets to whoever asks");
        return Ok(Exit::Usage);
    }
    let mut options = Options::contoso(Arc::new(Timestamp::now));
    options.listen = arguments.listen;
    options.record = arguments.record;
    options.receivers = vec![(super::demo::PUBLIC_URL.to_owned(), arguments.receiver)];
    let apps = options.apps.clone();
    let tenant = options.tenant;
    let simulator = Simulator::start(options).await?;
    let url = simulator.url();
    out::message(&format!("a simulated tenant is at {url}; what can be done in it: GET {url}/control"));
    out::message("point a `guestlist serve` at it with:");
    out::line(&format!("export GUESTLIST_TENANT_ID={tenant}"))?;
    out::line(&format!("export GUESTLIST_LOGIN_URL={url}"))?;
    out::line(&format!("export GUESTLIST_GRAPH_URL={url}"))?;
    out::line(&format!("export GUESTLIST_PUBLIC_URL={}", super::demo::PUBLIC_URL))?;
    for (prefix, app) in ["READ", "WRITE"].into_iter().zip(apps) {
        out::line(&format!("export GUESTLIST_{prefix}_CLIENT_ID={}", app.client_id))?;
        out::line(&format!("export GUESTLIST_{prefix}_CLIENT_SECRET={}", app.secret.unwrap_or_default()))?;
    }
    tokio::signal::ctrl_c().await?;
    simulator.stop().await;
    Ok(Exit::Well)
}
