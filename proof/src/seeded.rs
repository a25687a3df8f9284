//! Seeded fault runs from the command line: many of them, or one with all that happened in it.

use std::collections::BTreeMap;
use std::time::Instant;

use guestlist_proof::seeds::{History, Options, many, replay as play, run as run_one, shrink};

/// Runs so many seeds, and replays what fails: its history is made smaller, and printed.
pub(crate) fn run(count: u64, from: u64, acts: usize) -> anyhow::Result<()> {
    let (options, began) = (Options { acts, ..Options::default() }, Instant::now());
    let mut failing = Vec::new();
    let (mut exchanges, mut writes) = (0, 0);
    let mut tally = BTreeMap::<&'static str, usize>::new();
    many(from..from + count, options, |report| {
        (exchanges, writes) = (exchanges + report.exchanges, writes + report.writes);
        report.tally.iter().for_each(|(word, count)| *tally.entry(word).or_default() += count);
        if !report.complaints.is_empty() {
            println!("{report}\n  replay it: proof/run seed {} {acts}", report.seed);
            failing.push(report.seed);
        }
    })?;
    println!("{tally:?}");
    let minutes = began.elapsed().as_secs_f64() / 60.0;
    println!(
        "{count} seeds, {} failing {failing:?}, {exchanges} exchanges, {writes} writes, {:.0} seeds a minute",
        failing.len(),
        count as f64 / minutes
    );
    anyhow::ensure!(failing.is_empty(), "{} seeds fail", failing.len());
    Ok(())
}

/// Our own log goes to standard error, where `RUST_LOG` asks for it.
fn log() {
    if std::env::var_os("RUST_LOG").is_some() {
        let filter = tracing_subscriber::EnvFilter::from_default_env();
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    }
}

/// Everything that is said in one run of a seed, as it is.
pub(crate) fn trace(seed: u64, acts: usize) -> anyhow::Result<()> {
    log();
    let options = Options { acts, ..Options::default() };
    let report = play(seed, &History::draw(seed, options), true)?;
    report.trace.lines.iter().flatten().for_each(|line| println!("{line}"));
    println!("{report}");
    anyhow::ensure!(report.complaints.is_empty(), "seed {seed} fails");
    Ok(())
}

/// Runs one seed twice, and a failing one in its smallest form, with everything that was said.
pub(crate) fn replay(seed: u64, acts: usize) -> anyhow::Result<()> {
    log();
    let options = Options { acts, ..Options::default() };
    let (first, second) = (run_one(seed, options)?, run_one(seed, options)?);
    println!("{first}");
    if first.hash != second.hash {
        return difference(seed, options);
    }
    if first.complaints.is_empty() {
        return Ok(());
    }
    let (history, complaints) = shrink(seed, &History::draw(seed, options));
    println!(
        "\nits smallest form: {:?} at {:?}, protects: {}",
        history.book, history.reach, history.protects
    );
    history.acts.iter().for_each(|timed| println!("  {timed}"));
    complaints.iter().for_each(|complaint| println!("  {complaint}"));
    let report = play(seed, &history, true)?;
    println!("\nall that was said:");
    report.trace.lines.iter().flatten().for_each(|line| println!("{line}"));
    anyhow::bail!("seed {seed} fails")
}

/// Where two runs of one seed part.
fn difference(seed: u64, options: Options) -> anyhow::Result<()> {
    let history = History::draw(seed, options);
    let (first, second) = (play(seed, &history, true)?, play(seed, &history, true)?);
    let pairs = first.trace.lines.iter().flatten().zip(second.trace.lines.iter().flatten());
    if let Some((n, _)) = pairs.enumerate().find(|(_, (one, other))| one != other) {
        for run in [&first, &second] {
            println!("around line {n}:");
            let lines = run.trace.lines.iter().flatten().skip(n.saturating_sub(12)).take(20);
            lines.for_each(|line| println!("{line}"));
        }
    }
    anyhow::bail!("seed {seed} does not replay exactly")
}
