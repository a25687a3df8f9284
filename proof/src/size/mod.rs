//! Reconciliation of a large tenant: how many requests, resource units, bytes of memory and of disk it takes, and what a
//! live notification waits for meanwhile. Figures are printed; what the documents promise is held, loudly.

mod beside;
mod drive;
mod tenant;

use beside::{Asked, Tenant};
use drive::{Guestlist, Played};
use jiff::{SignedDuration, Timestamp};
pub(crate) use tenant::serve;

/// When the proof begins, by the clock that is moved by hand: 2026-11-20, nine o'clock.
const BEGINS: Timestamp = Timestamp::constant(1_795_165_200, 0);
/// Users on a page of the list.
const PAGE: u64 = 999;
/// What the process may have held at its worst, whatever the size of the tenant.
const MEMORY: u64 = 96 << 20;
/// Looks that may be begun before the look at a live notification: what may be due, and a page of changes.
const BEHIND: u64 = 100 + 500;

/// What is promised of one part of the proof.
struct Promise {
    lists: bool,
    /// Looks that reconciliation asks for.
    looks: Option<u64>,
    /// Requests to each delta query that begin it anew.
    anew: u64,
}

pub(crate) async fn measure(users: usize, groups: usize) -> anyhow::Result<()> {
    let tenant = Tenant::start(users, groups)?;
    let guests = ((users - 1) / tenant::A_GUEST_IN) as u64;
    println!("{users} users, {guests} of them guests, and {groups} groups, one of them of half of the users");
    let mut guestlist = Guestlist::beside(tenant).await?;
    let pages = (users as u64).div_ceil(PAGE);

    let played = guestlist.settle().await?;
    let all = Promise { lists: true, looks: Some(2 * guests), anew: 1 };
    report("from nothing", &guestlist, &played, (pages, &all)).await?;
    anyhow::ensure!(
        guestlist.known().await? as u64 == guests + guestlist.invited,
        "not every guest is known"
    );

    // The last live changes are told once more by the next round.
    guestlist.advance(SignedDuration::from_mins(11)).await?;
    guestlist.settle().await?;
    guestlist.tenant.asked().await?;

    guestlist.advance(SignedDuration::from_mins(11)).await?;
    let played = guestlist.settle().await?;
    let nothing = Promise { lists: false, looks: Some(0), anew: 0 };
    report("an idle round", &guestlist, &played, (pages, &nothing)).await?;

    guestlist.advance(SignedDuration::from_mins(11)).await?;
    let changed = guestlist.tenant.act("/changes").await?;
    println!("\nchanged, and nobody was told: {changed}");
    let played = guestlist.settle().await?;
    let some = Promise { lists: false, looks: None, anew: 0 };
    report("one in a hundred has changed", &guestlist, &played, (pages, &some)).await?;

    guestlist.advance(SignedDuration::from_mins(11)).await?;
    guestlist.tenant.act("/lose").await?;
    let known = guestlist.known().await? as u64;
    let played = guestlist.settle().await?;
    // Each query is refused once and begins anew.
    let again = Promise { lists: true, looks: Some(2 * known), anew: 2 };
    report("Graph has lost the sync state", &guestlist, &played, (pages, &again)).await?;
    anyhow::ensure!(guestlist.dead_letters().await? == 0, "there are dead letters");
    Ok(())
}

async fn report(
    what: &str,
    guestlist: &Guestlist,
    played: &Played,
    (pages, promise): (u64, &Promise),
) -> anyhow::Result<()> {
    let asked = guestlist.tenant.asked().await?;
    let Played { lasted, took, looking, longest, looks, most_ready, most_waiting, live } = played;
    println!(
        "\n{what}: {} requests in {} round trips, {} units",
        requests(&asked),
        asked.round_trips,
        asked.units
    );
    for (name, kind) in &asked.kinds {
        println!("  {:7} {name}, {} units, {} of low priority", kind.requests, kind.units, kind.low);
    }
    let hours = lasted.as_secs_f64() / 3_600.0;
    let an_hour = if hours > 0.0 { asked.units as f64 / hours } else { 0.0 };
    println!(
        "  at most {} units in ten seconds of {}, {an_hour:.0} an hour of {}; {} turned away",
        asked.most_spent,
        tenant::UNITS,
        tenant::UNITS * 360,
        asked.throttled
    );
    println!(
        "  {looks} looks in {lasted:#}; here {took:.1?}, {:.0} looks a second while looking; at most {most_ready} due, {most_waiting} waiting; the longest turn took {longest:.1?}",
        *looks as f64 / looking.as_secs_f64().max(f64::EPSILON)
    );
    let behind = live.iter().map(|waited| waited.behind).max().unwrap_or(0);
    let longest = live.iter().map(|waited| waited.for_so_long).max().unwrap_or_default();
    println!(
        "  {} live notifications: behind {behind} looks at most, looked at within {longest:#}",
        live.len()
    );
    let memory = peak_memory();
    let memory_text = memory.map_or("not measured".to_owned(), |bytes| format!("{} MiB", bytes >> 20));
    println!("  peak memory {memory_text}, store {} MiB", guestlist.stored()? >> 20);
    hold(promise, pages, &asked, played, behind)?;
    let bounded = memory.is_none_or(|bytes| bytes <= MEMORY);
    anyhow::ensure!(bounded, "it held more than {} MiB", MEMORY >> 20);
    Ok(())
}

fn requests(asked: &Asked) -> u64 {
    asked.kinds.values().map(|kind| kind.requests).sum()
}

/// What the documents say: a list of all users is one request for 999 of them, a delta query that found nothing one in ten
/// minutes, a look two or three.
fn hold(promise: &Promise, pages: u64, asked: &Asked, played: &Played, behind: u64) -> anyhow::Result<()> {
    let Promise { lists, looks, anew } = promise;
    let listed = asked.of("GET users");
    // At once, and when replicas have heard of what was before.
    let expected = if *lists { 2 * pages } else { 0 };
    anyhow::ensure!(listed == expected, "{listed} pages of users, not {expected}");
    let rounds = 1 + u64::try_from(played.lasted.as_secs() / 600)?;
    let live = played.live.len() as u64;
    if let Some(looks) = looks {
        for delta in ["GET users/delta", "GET groups/delta"] {
            let of_live = live.div_ceil(50);
            let most = anew + rounds + of_live;
            anyhow::ensure!(asked.of(delta) <= most, "{} of {delta}, not {most}", asked.of(delta));
        }
        // A live invitation is looked at twice, and so again when the delta query tells of it; both listings may meet it, too.
        let most = looks + 6 * live;
        anyhow::ensure!(played.looks >= *looks || *looks == 0, "{} looks, not {looks}", played.looks);
        anyhow::ensure!(played.looks <= most, "{} looks, at most {most} were expected", played.looks);
        let rest = asked.of("GET users/{}").max(asked.of("GET users/{}/memberOf"));
        anyhow::ensure!(rest <= played.looks, "{rest} reads for {} looks", played.looks);
        let units = 2 * listed + 3 * played.looks + 2 * (anew + rounds) * 2 + 10;
        anyhow::ensure!(asked.units <= units, "{} units, at most {units} were expected", asked.units);
    }
    anyhow::ensure!(asked.throttled == 0, "Graph turned {} requests away", asked.throttled);
    anyhow::ensure!(asked.writes == 0, "{} writes", asked.writes);
    anyhow::ensure!(behind <= BEHIND, "a live notification waited behind {behind} looks");
    Ok(())
}

/// In bytes, of this process. Only Linux tells.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes << 10)
}
