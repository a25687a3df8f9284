//! Damaged input for every parser that strangers reach: nothing may panic. Seeded, so that a failure replays.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use model::TenantId;
use seal::StateKeys;

const POLICY: &str = include_str!("../../cli/src/commands/demo/policy.yaml");

/// What JSON and YAML give a meaning to, and what they forbid.
const SIGNS: &[u8] = b"{}[]\",:\\0eE-+.\0\xff\x80 \n*@#~&!|>%";

/// A 64-bit linear congruential generator: enough to choose what is damaged.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % most.max(1)
    }

    /// Turns, drops, doubles and moves some bytes.
    fn damage(&mut self, sample: &[u8]) -> Vec<u8> {
        let mut bytes = sample.to_vec();
        for _ in 0..=self.roll(6) {
            if bytes.is_empty() {
                break;
            }
            let at = self.roll(bytes.len());
            let to = at + self.roll((bytes.len() - at).min(40));
            match self.roll(6) {
                0 => bytes[at] = SIGNS[self.roll(SIGNS.len())],
                1 => drop(bytes.drain(at..to)),
                2 => {
                    let piece = bytes[at..to].to_vec();
                    let into = self.roll(bytes.len());
                    bytes.splice(into..into, piece);
                }
                3 => bytes.truncate(at),
                4 => bytes[at] ^= 1 << self.roll(8),
                _ => {
                    let deep = b"[{\"a\":"[self.roll(6)];
                    bytes.splice(at..at, std::iter::repeat_n(deep, self.roll(3000)));
                }
            }
        }
        bytes
    }
}

pub(crate) fn run(seconds: u64, seed: u64) -> anyhow::Result<()> {
    let (samples, requests) = (samples("../events", "")?, samples("../events/aws", "http-")?);
    let keys = StateKeys::parse(&StateKeys::generate_line(std::array::from_fn(|n| n as u8), "k1"))?;
    let mut dice = Dice(seed);
    let (began, mut count) = (Instant::now(), 0_u64);
    while began.elapsed() < Duration::from_secs(seconds) {
        let sample = &samples[dice.roll(samples.len())];
        let body = dice.damage(sample);
        // Parsing each item may fail; what it must not do is panic.
        let items = graph::parse(&body).map_or(0, |items| items.len());
        let text = String::from_utf8_lossy(&body);
        let opened = keys.open(&text, TenantId::from_u128(1)).is_ok();
        anyhow::ensure!(!opened, "seed {seed}, case {count}: damaged text was taken for a clientState");
        let policy = String::from_utf8_lossy(&dice.damage(POLICY.as_bytes())).into_owned();
        let request = &requests[dice.roll(requests.len())];
        let asked = host::is_request(&dice.damage(request));
        let parsed = policy::parse(&policy, "damaged.yaml", &mut |name| Err(format!("no `{name}`")));
        std::hint::black_box((items, asked, parsed.is_ok()));
        count += 1;
    }
    println!("seed {seed}: {count} cases in {seconds} s, no panic");
    Ok(())
}

/// Those in this folder whose name begins so.
fn samples(folder: &str, begin: &str) -> anyhow::Result<Vec<Vec<u8>>> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut samples = Vec::new();
    for entry in
        std::fs::read_dir(&folder).with_context(|| format!("failed to read `{}`", folder.display()))?
    {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with(begin) && name.ends_with(".json") {
            samples.push(std::fs::read(path)?);
        }
    }
    Ok(samples)
}
