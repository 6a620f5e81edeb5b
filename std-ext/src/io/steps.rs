//! The lane of steps as codecs take it: tags and times apart, each two to a byte. Tags repeat, times hardly do;
//! together they compress a sixth worse.

/// The tags and times of a lane of steps.
#[derive(Clone, Debug, Default)]
pub(super) struct Apart {
    pub(super) tags: Vec<u8>,
    pub(super) times: Vec<u8>,
}

impl Apart {
    /// Takes a lane of steps apart.
    pub(super) fn split(&mut self, steps: &[u8]) {
        let Self { tags, times } = self;
        tags.clear();
        times.clear();
        let (pairs, last) = steps.as_chunks();
        tags.extend(pairs.iter().map(|[first, second]| first & 0x0F | second << 4));
        times.extend(pairs.iter().map(|[first, second]| first >> 4 | second & 0xF0));
        tags.extend(last.iter().map(|step| step & 0x0F));
        times.extend(last.iter().map(|step| step >> 4));
    }
}

/// Bytes that the tags or the times of so many events take.
pub(super) const fn half(events: usize) -> usize {
    events.div_ceil(2)
}

/// Puts a lane of steps together again: `steps` is as long as there are events, `tags` and `times` are [`half`] of
/// that.
pub(super) fn join(tags: &[u8], times: &[u8], steps: &mut [u8]) {
    let (pairs, last) = steps.as_chunks_mut();
    for ([first, second], (tags, times)) in pairs.iter_mut().zip(tags.iter().zip(times)) {
        (*first, *second) = (tags & 0x0F | times << 4, tags >> 4 | times & 0xF0);
    }
    if let ([last], [.., tag], [.., time]) = (last, tags, times) {
        *last = tag & 0x0F | time << 4;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_split_is_joined() {
        let mut apart = Apart::default();
        for events in [0, 1, 2, 3, 64, 255] {
            let steps: Vec<u8> = (0..events as u8).map(|at| at.wrapping_mul(151)).collect();
            apart.split(&steps);
            assert_eq!((apart.tags.len(), apart.times.len()), (half(events), half(events)));
            let mut joined = vec![0; events];
            join(&apart.tags, &apart.times, &mut joined);
            assert_eq!(joined, steps);
        }
        apart.split(&[0x21, 0x43, 0x65]);
        assert_eq!((&apart.tags[..], &apart.times[..]), (&[0x31, 0x05][..], &[0x42, 0x06][..]));
    }
}
