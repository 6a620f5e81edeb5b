//! Spans for `tracing`: one for an export or a parse, and below it one for each stage of each chunk or
//! batch, whichever thread it is on. Without the feature, or when monitoring is off, there are none.

#[cfg(feature = "tracing")]
pub(crate) use with_tracing::{Span, Spans};
#[cfg(not(feature = "tracing"))]
pub(crate) use without::{Span, Spans};

#[cfg(feature = "tracing")]
mod with_tracing {
    use std::path::Path;

    use tracing::field::{Empty, display};
    use tracing::span::EnteredSpan;
    use tracing::{Dispatch, debug_span, dispatcher, info_span};

    use crate::monitoring::{Phase, Stage};

    /// Opens spans; none at all by default.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct Spans(Option<Whole>);

    /// The span of the whole, and whoever is told of it: threads have subscribers of their own.
    #[derive(Clone, Debug)]
    struct Whole {
        span: tracing::Span,
        subscriber: Dispatch,
    }

    /// A span that ends when it is dropped.
    pub(crate) struct Span(#[expect(dead_code, reason = "dropped, not read")] Option<EnteredSpan>);

    impl Spans {
        /// Those of an export to a file, or of a parse of one.
        pub(crate) fn new(phase: Phase, path: Option<&Path>) -> Self {
            let path = path.map(|path| display(path.display()));
            let span = match phase {
                Phase::Parse => info_span!("parse", path, events = Empty, bytes = Empty),
                _ => info_span!("export", path, events = Empty, bytes = Empty),
            };
            Self(Some(Whole { span, subscriber: dispatcher::get_default(Dispatch::clone) }))
        }

        pub(crate) fn enter(&self, stage: Stage) -> Span {
            let Some(Whole { span: parent, subscriber }) = &self.0 else { return Span(None) };
            let span = dispatcher::with_default(subscriber, || match stage {
                Stage::Collection => debug_span!(parent: parent, "collection"),
                Stage::Optimization => debug_span!(parent: parent, "optimization"),
                Stage::Processing => debug_span!(parent: parent, "processing"),
                Stage::Compression => debug_span!(parent: parent, "compression"),
                Stage::Writing => debug_span!(parent: parent, "writing"),
                Stage::Validation => debug_span!(parent: parent, "validation"),
                Stage::Parsing => debug_span!(parent: parent, "parsing"),
                Stage::Decoding => debug_span!(parent: parent, "decoding"),
                // Nothing happens in it.
                Stage::Waiting => tracing::Span::none(),
            });
            Span(Some(span.entered()))
        }

        /// Says how much it came to.
        pub(crate) fn record(&self, events: u64, bytes: u64) {
            if let Some(Whole { span, .. }) = &self.0 {
                span.record("events", events).record("bytes", bytes);
            }
        }
    }
}

#[cfg(not(feature = "tracing"))]
mod without {
    use std::path::Path;

    use crate::monitoring::{Phase, Stage};

    /// Opens no spans.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct Spans;

    /// No span.
    pub(crate) struct Span;

    impl Spans {
        pub(crate) fn new(_: Phase, _: Option<&Path>) -> Self {
            Self
        }

        pub(crate) fn enter(&self, _: Stage) -> Span {
            Span
        }

        pub(crate) fn record(&self, _: u64, _: u64) {}
    }
}
