//! One run from its beginning to the judgement, and many of them side by side.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};

use super::history::{History, Options};
use super::reading::Taken;
use super::seam::Trace;
use super::witness::Witness;
use super::world::{QUIET, World};
use super::{assessed, operate, oracle, play};

const ROUND: Duration = Duration::from_mins(12);
const A_DAY: SignedDuration = SignedDuration::from_hours(25);

/// What became of a run.
#[derive(Debug, Clone)]
pub struct Report {
    pub seed: u64,
    pub complaints: Vec<String>,
    /// The same for two runs of one seed.
    pub hash: u64,
    pub exchanges: u64,
    pub writes: usize,
    pub incidents: usize,
    /// How the incidents ended, and what else happened, each with how often.
    pub tally: BTreeMap<&'static str, usize>,
    pub lasted: SignedDuration,
    pub trace: Trace,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, complaints, hash, exchanges, writes, incidents, tally: _, lasted, trace: _ } = self;
        write!(
            f,
            "seed {seed}: {exchanges} exchanges, {writes} writes, {incidents} incidents in {lasted:#}, trace {hash:016x}"
        )?;
        complaints.iter().try_for_each(|complaint| write!(f, "\n  {complaint}"))
    }
}

/// Draws the history of a seed and plays it.
///
/// # Errors
/// The run itself is broken: its world could not be built, or it never comes to rest.
pub fn run(seed: u64, options: Options) -> anyhow::Result<Report> {
    play(seed, &History::draw(seed, options), false)
}

/// Plays a history. With `lines` the trace is kept in words.
///
/// # Errors
/// As [`run`].
pub fn play(seed: u64, history: &History, lines: bool) -> anyhow::Result<Report> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    runtime.block_on(async {
        let mut world = World::begin(seed, history, lines).await?;
        let mut witness = Witness::default();
        let began = world.clock.now();
        until_subscribed(&world).await?;
        play::calm(&world);
        witness.lags.change(began, &world.simulator.faults());
        witness.note(&world);
        assessed::look(&world, &mut witness).await?;
        for timed in &history.acts {
            assessed::sleep(&world, &mut witness, Duration::from_millis(timed.after_ms)).await?;
            world.seam.note(&format!("act {:?}", timed.act), &[]);
            play::play(&mut world, &mut witness, timed.act).await?;
        }
        settle(&mut world, &mut witness).await?;
        oracle::judge(&world, &mut witness).await?;
        let lasted = world.clock.now().duration_since(began);
        let tally = tally(&world, &witness).await?;
        let incidents = operate::current(&world).await?.len();
        note_ledger(&world).await?;
        let trace = world.end().trace();
        let Witness { complaints, changes, .. } = witness;
        let (hash, exchanges, writes) = (trace.hash(), trace.exchanges, changes.len());
        Ok(Report { seed, complaints, hash, exchanges, writes, incidents, tally, lasted, trace })
    })
}

async fn tally(world: &World, witness: &Witness) -> anyhow::Result<BTreeMap<&'static str, usize>> {
    let mut tally = BTreeMap::new();
    let mut count = |word: &'static str| *tally.entry(word).or_default() += 1;
    for incident in oracle::all_incidents(world).await? {
        count(incident.state.word());
        if incident.waits_because.is_some() {
            count("(held by the breaker)");
        }
    }
    for change in &witness.changes {
        count(match (change.taken, change.given) {
            (Taken::Account, false) => "(deleted)",
            (Taken::Account, true) => "(restored)",
            (Taken::SignIn | Taken::Membership(_) | Taken::Ownership(_), false) => "(taken)",
            (Taken::SignIn | Taken::Membership(_) | Taken::Ownership(_), true) => "(given back)",
        });
    }
    Ok(tally)
}

async fn until_subscribed(world: &World) -> anyhow::Result<()> {
    for _ in 0..1_000 {
        if world.simulator.subscriptions().len() == 2 {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    anyhow::bail!("the process never subscribed")
}

/// Faults stop, and everything happens that is going to happen. Where something changed that the tenant tells nobody of,
/// a day goes by in which everybody is looked at.
async fn settle(world: &mut World, witness: &mut Witness) -> anyhow::Result<()> {
    let began = world.clock.now();
    play::calm(world);
    witness.lags.change(began, &world.simulator.faults());
    world.simulator.set_faults(|faults| faults.notifications.lost = 0.0);
    world.chat.set_down(false);
    world.clock.skew(SignedDuration::ZERO);
    play::resume(world).await?;
    world.look();
    rest(world, witness).await?;
    // What no notification told is found in the next round of the delta queries.
    assessed::sleep(world, witness, ROUND).await?;
    rest(world, witness).await?;
    if witness.unheard {
        world.clock.jump(A_DAY);
        witness.clock_jumped(world.clock.now(), A_DAY);
        world.look();
        assessed::sleep(world, witness, ROUND).await?;
        rest(world, witness).await?;
    }
    witness.note(world);
    until_all_is_assessed(world, witness, began).await
}

/// Up to when the faults have stopped, of what was told by then: a round of the delta queries speaks of what happened a
/// quarter of an hour before it, and a listing that makes something good is the second one.
async fn until_all_is_assessed(
    world: &World,
    witness: &mut Witness,
    stopped: Timestamp,
) -> anyhow::Result<()> {
    for _ in 0..20 {
        if assessed::said(world).await?.is_some_and(|until| until >= stopped) {
            return Ok(());
        }
        assessed::sleep(world, witness, Duration::from_mins(6)).await?;
    }
    let said = assessed::said(world).await?;
    witness.complain(format!(
        "the faults stopped at {stopped}, and every change was assessed up to {said:?} only"
    ));
    Ok(())
}

async fn rest(world: &World, witness: &mut Witness) -> anyhow::Result<()> {
    // The second look comes five minutes after the first.
    for _ in 0..288 {
        assessed::sleep(world, witness, Duration::from_mins(6)).await?;
        witness.look_at_writes(world);
        if is_quiet(world).await? {
            return Ok(());
        }
    }
    witness.complain("a day and more after the faults have stopped, something is still going on".to_owned());
    Ok(())
}

async fn is_quiet(world: &World) -> anyhow::Result<bool> {
    let soon = world.clock.now().checked_add(QUIET)?;
    if world.simulator.waiting_notifications() > 0 {
        return Ok(false);
    }
    for queue in world.store.queues.all() {
        if queue.next_due().await?.is_some_and(|due| due < soon) {
            return Ok(false);
        }
    }
    let in_force = world.store.ledger.in_force().await?;
    let is_applied = in_force.is_some_and(|stored| stored.value.applied_at.is_some());
    Ok(is_applied && world.store.ledger.due_incidents(soon, 1).await?.is_empty())
}

/// The end state of the ledger and of the queues is part of what has to be the same.
async fn note_ledger(world: &World) -> anyhow::Result<()> {
    const ALL: &str = "SELECT partition, sort, body FROM ledger_items ORDER BY partition, sort";
    let rows: Vec<(String, String, String)> = world
        .store
        .database
        .as_ref()
        .context("the seeded runs have an embedded store")?
        .read(|db| {
            let mut statement = db.prepare(ALL)?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            rows.collect()
        })
        .await
        .context("the ledger could not be read")?;
    for (partition, sort, body) in rows {
        world.seam.note(&format!("ledger {partition} {sort}"), body.as_bytes());
    }
    Ok(())
}

/// Runs these seeds on two threads, and hands each report over as it comes.
///
/// # Errors
/// As [`run`], of the first that is broken.
pub fn many(seeds: Range<u64>, options: Options, hand_over: impl FnMut(Report) + Send) -> anyhow::Result<()> {
    let (next, hand_over) = (AtomicU64::new(seeds.start), Mutex::new(hand_over));
    let work = || -> anyhow::Result<()> {
        loop {
            let seed = next.fetch_add(1, Ordering::SeqCst);
            if seed >= seeds.end {
                return Ok(());
            }
            let report = run(seed, options).with_context(|| format!("seed {seed}"))?;
            let mut hand_over = hand_over.lock().map_err(|_| anyhow::anyhow!("a run panicked"))?;
            hand_over(report);
        }
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(work);
        work()?;
        other.join().map_err(|_| anyhow::anyhow!("a run panicked"))?
    })
}
