//! What an event's bits in a log depend on. Not the model of the format, which is denser, and slower than
//! many an allocation; a log never leaves the process, and a snapshot encodes it.

use std::sync::atomic::{AtomicU64, Ordering};

use heapwire_core::varint::{unzigzag, zigzag};

/// A number that only one thread uses at a time: a `Cell` for whoever has the slot.
#[derive(Debug, Default)]
pub(super) struct Own(AtomicU64);

impl Own {
    pub(super) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    #[inline(always)]
    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    #[inline(always)]
    pub(super) fn set(&self, number: u64) {
        self.0.store(number, Ordering::Relaxed);
    }

    pub(super) fn replace(&self, number: u64) -> u64 {
        let before = self.get();
        self.set(number);
        before
    }
}

/// Bits of an entry's kind.
pub(super) const KIND_BITS: u32 = 2;
/// Widths in bits of the fields of a short entry, in this order; of the last one's, a bit before them all
/// says which.
pub(super) const SHORT_TIME: u32 = 5;
pub(super) const SHORT_SIZE: u32 = 10;
pub(super) const SHORT_ADDRESS: [u32; 2] = [10, 20];

/// Widths in bits, of which a field of a long entry takes one; two bits say which.
pub(super) type Widths = [u32; 4];

pub(super) const TIME: Widths = [4, 8, 20, 64];
pub(super) const SIZE: Widths = [5, 9, 16, 64];
pub(super) const THREAD: Widths = [4, 8, 16, 32];
/// The first is for an address's hash, the others, from [`FAR`] on, for distances.
pub(super) const ADDRESS: Widths = [HASH_BITS, 9, 21, 64];
const NEAR: u64 = 0;
pub(super) const FAR: u64 = 1;
/// The first is for the site that followed the last time, too.
pub(super) const SITE: Widths = [0, 8, 16, 32];

/// Addresses are multiples of 2 to this power: nearly all, and the others only take more room.
const GRANULE_BITS: u32 = 3;
const HASH_BITS: u32 = 6;
const SUCCESSORS: usize = 256;

/// A number, and which of its widths it takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub(super) value: u64,
    pub(super) class: u64,
    pub(super) width: u32,
}

impl Field {
    pub(super) const NONE: Self = Self { value: 0, class: 0, width: 0 };

    /// A number in the first width, from `least` on, that it fits into.
    pub(super) fn new(widths: &Widths, least: u64, value: u64) -> Self {
        // Sums of comparisons, since branches would be foretold wrongly.
        let wider = |at: usize| u64::from(value >> widths[at] != 0);
        let class =
            if least == 0 { wider(0) + wider(1) + wider(2) } else { 1 + wider(1) + wider(2) };
        Self { value, class, width: widths[class as usize % 4] }
    }
}

/// Which events a site is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SiteOf {
    Allocs = 0,
    Frees = 1,
}

/// What came before. The writer of a log has one, and each reader another that follows.
#[derive(Debug)]
pub(super) struct Past {
    pub(super) time: Own,
    pub(super) thread: Own,
    /// The address before, rotated.
    address: Own,
    /// The last addresses of each hash, rotated.
    addresses: [Own; 1 << HASH_BITS],
    sites: [Own; 2],
    /// The sites that came after others the last time.
    successors: [Own; SUCCESSORS],
}

impl Past {
    pub(super) const fn new() -> Self {
        Self {
            time: Own::new(),
            thread: Own::new(),
            address: Own::new(),
            addresses: [const { Own::new() }; 1 << HASH_BITS],
            sites: [const { Own::new() }; 2],
            successors: [const { Own::new() }; SUCCESSORS],
        }
    }

    /// The bits of a short entry, and how many these are, if all fields are small enough.
    #[inline(always)]
    pub(super) fn short(
        &self,
        kind: u64,
        time: u64,
        address: u64,
        size: Option<u64>,
    ) -> Option<(u64, u64)> {
        let step = time.wrapping_sub(self.time.get());
        let rotated = address.rotate_right(GRANULE_BITS);
        let distance = zigzag(rotated.wrapping_sub(self.address.get()).cast_signed());
        let (size, size_width) = size.map_or((0, 0), |size| (size, SHORT_SIZE));
        let [near, far] = SHORT_ADDRESS;
        // One branch, nearly always foretold; that between near and far would not be.
        if step >> SHORT_TIME | size >> SHORT_SIZE | distance >> far != 0 {
            return None;
        }
        self.time.set(time);
        self.set_address(rotated);
        let is_far = u64::from(distance >> near != 0);
        let time_at = KIND_BITS + 1;
        let size_at = time_at + SHORT_TIME;
        let distance_at = size_at + size_width;
        Some((
            kind | is_far << KIND_BITS
                | step << time_at
                | size << size_at
                | distance << distance_at,
            u64::from(distance_at + near) + is_far * u64::from(far - near),
        ))
    }

    /// The time so much later.
    pub(super) fn step(&self, step: u64) -> u64 {
        self.time.set(self.time.get().wrapping_add(step));
        self.time.get()
    }

    pub(super) fn time_field(&self, time: u64) -> Field {
        // A clock that steps back stands still.
        let time = time.max(self.time.get());
        Field::new(&TIME, 0, time - self.time.replace(time))
    }

    pub(super) fn address_field(&self, address: u64) -> Field {
        let rotated = address.rotate_right(GRANULE_BITS);
        let hash = hash(rotated);
        let far = Field::new(
            &ADDRESS,
            FAR,
            zigzag(rotated.wrapping_sub(self.address.get()).cast_signed()),
        );
        let near = Field { value: hash as u64, class: NEAR, width: HASH_BITS };
        let is_near = self.addresses[hash].get() == rotated;
        self.set_address(rotated);
        if is_near { near } else { far }
    }

    /// The address of a field.
    pub(super) fn address(&self, class: u64, value: u64) -> u64 {
        let rotated = match class {
            NEAR => self.addresses[value as usize % self.addresses.len()].get(),
            _ => self.address.get().wrapping_add_signed(unzigzag(value)),
        };
        self.set_address(rotated);
        rotated.rotate_left(GRANULE_BITS)
    }

    #[inline(always)]
    fn set_address(&self, rotated: u64) {
        self.address.set(rotated);
        self.addresses[hash(rotated)].set(rotated);
    }

    #[inline(always)]
    pub(super) fn site(&self, of: SiteOf) -> u32 {
        self.sites[of as usize].get() as u32
    }

    /// The site that is foretold to be the next one.
    fn successor(&self, of: SiteOf) -> &Own {
        &self.successors[self.site(of) as usize % SUCCESSORS]
    }

    pub(super) fn site_field(&self, of: SiteOf, site: u32) -> Field {
        let site = u64::from(site);
        let foretold = self.successor(of).replace(site) == site;
        self.sites[of as usize].set(site);
        let field = Field::new(&SITE, 1, site);
        if foretold { Field::NONE } else { field }
    }

    /// A field says that the site is another now.
    pub(super) fn change_site(&self, of: SiteOf, class: u64, value: u64) {
        let successor = self.successor(of);
        let site = if class == 0 { successor.get() } else { value };
        successor.set(site);
        self.sites[of as usize].set(site);
    }
}

#[inline(always)]
fn hash(rotated: u64) -> usize {
    ((rotated as u32).wrapping_mul(0x9E37_79B1) >> (u32::BITS - HASH_BITS)) as usize
}
