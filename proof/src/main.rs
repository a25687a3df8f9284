//! Long proofs and benchmarks: figures are measured, never asserted. See `proof/run`.

mod decision;
mod mutation;
mod receiver;
mod seeded;
mod size;
mod starts;
mod store;

use anyhow::bail;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["decide", count] => decision::decide(count.parse()?),
        ["decisions"] => decision::measure(),
        ["receive"] => wait_for(receiver::measure()),
        ["start", binaries, zips] => wait_for(starts::measure(binaries.as_ref(), zips.as_ref())),
        ["store"] => wait_for(store::measure()),
        ["size", users, groups] => wait_for(size::measure(users.parse()?, groups.parse()?)),
        ["size-tenant", users, groups] => wait_for(size::serve(users.parse()?, groups.parse()?)),
        ["seeds", count, from, acts] => seeded::run(count.parse()?, from.parse()?, acts.parse()?),
        ["seed", seed, acts] => seeded::replay(seed.parse()?, acts.parse()?),
        ["trace", seed, acts] => seeded::trace(seed.parse()?, acts.parse()?),
        ["mutate", seconds, seed] => mutation::run(seconds.parse()?, seed.parse()?),
        _ => bail!(
            "use: decide COUNT · decisions · receive · start BINARIES ZIPS · store · size USERS GROUPS · seeds COUNT FROM ACTS · seed SEED ACTS · trace SEED ACTS · mutate SECONDS SEED"
        ),
    }
}

/// The seeded runs bring a runtime of their own.
fn wait_for(measured: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(measured)
}
