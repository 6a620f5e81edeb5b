//! What a capture's chunks hold, in one number: what was written is compared with what is read back.

use heapwire_core::ChunkHeader;

/// The digest of chunks so far: of what each holds unpacked, and where it stands in its stream. Two captures
/// with the same one differ in how they are compressed at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Digest(u32);

impl Digest {
    /// The next chunk, whose unpacked payload has this CRC-32.
    pub(crate) fn add(&mut self, header: &ChunkHeader, payload: u32) {
        let mut hasher = crc32fast::Hasher::new_with_initial(self.0);
        for number in [header.stream, header.sequence, header.events, payload] {
            hasher.update(&number.to_le_bytes());
        }
        hasher.update(&header.first_event.to_le_bytes());
        self.0 = hasher.finalize();
    }
}
