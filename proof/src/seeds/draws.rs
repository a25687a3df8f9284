//! Where all chance of a seeded run comes from: streams of draws, each begun from the seed and a name, so that what one part
//! draws never changes what another part sees.

use std::cell::RefCell;

use model::Correlation;

/// `SplitMix64`: small, the same everywhere, and good enough to choose what goes wrong.
#[derive(Debug, Clone)]
pub struct Draws(u64);

impl Draws {
    #[must_use]
    pub fn new(seed: u64, name: &str) -> Self {
        let mut state = seed ^ 0x9e37_79b9_7f4a_7c15;
        for byte in name.bytes() {
            state = (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        let mut draws = Self(state);
        draws.next();
        draws
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below the limit, which is at least one.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }

    /// From and up to, both of them included.
    pub fn within(&mut self, from: u64, to: u64) -> u64 {
        from + self.below(to - from + 1)
    }

    pub fn index(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit.max(1)).unwrap_or(1)).unwrap_or_default()
    }

    pub fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.index(all.len())]
    }

    /// So many times in a hundred.
    pub fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }
}

thread_local! {
    /// The product takes its ids from functions without an argument: a run has a thread to itself.
    static IDS: RefCell<Draws> = RefCell::new(Draws::new(0, "ids"));
}

/// To be called when a run begins on this thread.
pub(super) fn begin(seed: u64) {
    IDS.with_borrow_mut(|draws| *draws = Draws::new(seed, "ids"));
}

/// In the place of the operating system's generator.
pub(super) fn random() -> [u8; 16] {
    IDS.with_borrow_mut(|draws| {
        let halves = u128::from(draws.next()) << 64 | u128::from(draws.next());
        halves.to_be_bytes()
    })
}

pub(super) fn correlate() -> Correlation {
    Correlation::from_u128(uuid::Builder::from_random_bytes(random()).into_uuid().as_u128())
}
