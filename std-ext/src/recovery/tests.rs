//! Fake operations, and a clock that nobody waits for.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;

fn transient() -> BinaryExportError {
    BinaryExportError::io("write", "heap.bin")(io::ErrorKind::TimedOut.into())
}

fn full() -> BinaryExportError {
    BinaryExportError::io("write", "heap.bin")(io::ErrorKind::StorageFull.into())
}

/// The delays that were slept, in milliseconds.
type Slept = Arc<Mutex<Vec<u64>>>;

/// A recovery that does not sleep, but says how long it would have.
fn recovery(
    change: impl FnOnce(RecoveryBuilder) -> RecoveryBuilder,
) -> Result<(ErrorRecovery, Slept)> {
    let slept = Slept::default();
    let log = Arc::clone(&slept);
    let builder = ErrorRecovery::builder()
        .jitter(false)
        .sleep_with(move |delay| log.lock().unwrap().push(delay.as_millis() as u64));
    Ok((change(builder).build()?, slept))
}

/// An operation that fails so often with what `error` makes, and then returns how often it was run.
fn failing(
    times: usize,
    error: fn() -> BinaryExportError,
) -> (impl FnMut() -> Result<usize>, Arc<Mutex<usize>>) {
    let runs = Arc::new(Mutex::new(0));
    let count = Arc::clone(&runs);
    let operation = move || {
        let mut runs = count.lock().unwrap();
        *runs += 1;
        if *runs <= times { Err(error()) } else { Ok(*runs) }
    };
    (operation, runs)
}

fn nexts(recovery: &ErrorRecovery) -> Vec<Next> {
    recovery.history().iter().map(|attempt| attempt.next).collect()
}

#[test]
fn what_is_transient_is_tried_again_with_growing_delays() -> Result<()> {
    let (recovery, slept) = recovery(|builder| builder)?;
    let (operation, _) = failing(3, transient);
    assert_eq!(recovery.execute_with_recovery(operation, "export")?, 4);
    assert_eq!(*slept.lock().unwrap(), [50, 100, 200]);

    let history = recovery.history();
    let numbers: Vec<_> = history.iter().map(|attempt| attempt.number).collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
    assert!(history.iter().all(|attempt| attempt.operation == "export" && !attempt.is_fallback));
    let error = history[0].error.as_ref().expect("failed");
    assert_eq!(error.kind, ErrorKind::Transient);
    assert_eq!(error.message, "cannot write \"heap.bin\": timed out");
    assert_eq!(history[0].next, Next::Retry { after: Duration::from_millis(50) });
    assert_eq!((&history[3].error, history[3].next), (&None, Next::Done));
    Ok(())
}

#[test]
fn attempts_run_out() -> Result<()> {
    let (recovery, slept) = recovery(|builder| builder.max_attempts(2))?;
    let (operation, runs) = failing(9, transient);
    let error = recovery.execute_with_recovery(operation, "export").expect_err("fails");
    assert!(error.is_transient());
    assert_eq!((*runs.lock().unwrap(), slept.lock().unwrap().len()), (2, 1));
    assert_eq!(nexts(&recovery)[1], Next::GiveUp);

    // Each operation has all attempts.
    let (operation, _) = failing(1, transient);
    assert_eq!(recovery.execute_with_recovery(operation, "export")?, 2);
    Ok(())
}

#[test]
fn what_cannot_be_mended_returns_at_once() -> Result<()> {
    let hopeless: [fn() -> BinaryExportError; 4] = [
        || BinaryExportError::NoDataToExport,
        || BinaryExportError::CutOff { offset: 5 },
        || BinaryExportError::InvalidConfig { field: "level", reason: "is 99".to_owned() },
        || BinaryExportError::io("create", "x")(io::ErrorKind::PermissionDenied.into()),
    ];
    for error in hopeless {
        let (recovery, slept) = recovery(|builder| builder)?;
        let (operation, runs) = failing(9, error);
        let (fallback, fallbacks) = failing(0, error);
        let returned = recovery.execute_with_fallback(operation, fallback, "export");
        assert_eq!(returned.expect_err("fails").to_string(), error().to_string());
        assert_eq!((*runs.lock().unwrap(), *fallbacks.lock().unwrap()), (1, 0));
        assert_eq!((slept.lock().unwrap().len(), nexts(&recovery)), (0, vec![Next::GiveUp]));
    }
    Ok(())
}

#[test]
fn want_of_resources_falls_back_without_delay() -> Result<()> {
    let (recovery, slept) = recovery(|builder| builder)?;
    let (operation, runs) = failing(9, full);
    let result = recovery.execute_with_fallback(operation, || Ok(77), "export");
    assert_eq!((result?, *runs.lock().unwrap()), (77, 1));
    assert!(slept.lock().unwrap().is_empty());
    assert_eq!(nexts(&recovery), [Next::FallBack, Next::Done]);
    assert!(recovery.history()[1].is_fallback);

    // Without anything to fall back to, it is an error at once.
    let (operation, runs) = failing(9, full);
    assert!(recovery.execute_with_recovery(operation, "export").is_err());
    assert_eq!((*runs.lock().unwrap(), nexts(&recovery)[2]), (1, Next::GiveUp));
    Ok(())
}

#[test]
fn when_attempts_run_out_the_fallback_has_as_many() -> Result<()> {
    let (recovery, slept) = recovery(|builder| builder.max_attempts(3))?;
    let (operation, _) = failing(9, transient);
    let (fallback, _) = failing(2, transient);
    assert_eq!(recovery.execute_with_fallback(operation, fallback, "export")?, 3);
    assert_eq!(*slept.lock().unwrap(), [50, 100, 50, 100]);

    // Nothing is behind the fallback.
    let (operation, _) = failing(9, full);
    let (fallback, runs) = failing(9, full);
    assert!(recovery.execute_with_fallback(operation, fallback, "export").is_err());
    assert_eq!(*runs.lock().unwrap(), 1);
    Ok(())
}

#[test]
fn strategies_are_the_callers_to_choose() -> Result<()> {
    let (recovery, slept) = recovery(|builder| {
        builder
            .strategy(ErrorKind::Resources, Strategy::Retry)
            .strategy(ErrorKind::Transient, Strategy::GiveUp)
            .first_delay(Duration::from_secs(1))
            .max_delay(Duration::from_secs(3))
            .max_attempts(5)
    })?;
    let (operation, _) = failing(4, full);
    assert_eq!(recovery.execute_with_recovery(operation, "export")?, 5);
    assert_eq!(*slept.lock().unwrap(), [1000, 2000, 3000, 3000]);
    let (operation, runs) = failing(1, transient);
    assert!(recovery.execute_with_recovery(operation, "export").is_err());
    assert_eq!(*runs.lock().unwrap(), 1);
    Ok(())
}

#[test]
fn jitter_only_makes_delays_longer_and_none_too_long() -> Result<()> {
    let most = Duration::from_millis(300);
    let (recovery, slept) =
        recovery(|builder| builder.jitter(true).max_delay(most).max_attempts(60))?;
    let (operation, _) = failing(59, transient);
    recovery.execute_with_recovery(operation, "export")?;
    let slept = slept.lock().unwrap();
    assert!((50..=100).contains(&slept[0]) && (100..=200).contains(&slept[1]), "{slept:?}");
    assert!(slept[3..].iter().all(|delay| *delay == 300), "{slept:?}");
    Ok(())
}

#[test]
fn the_history_is_bounded() -> Result<()> {
    let (recovery, _) = recovery(|builder| builder.history_limit(3))?;
    for name in ["first", "second", "third", "fourth"] {
        recovery.execute_with_recovery(|| Ok(()), name)?;
    }
    let names: Vec<_> = recovery.history().into_iter().map(|attempt| attempt.operation).collect();
    assert_eq!(names, ["second", "third", "fourth"]);
    recovery.clear_history();
    assert_eq!(recovery.history(), []);
    Ok(())
}

#[test]
fn a_policy_that_cannot_be_is_named() {
    let reason = |builder: RecoveryBuilder| builder.build().expect_err("refused").to_string();
    assert_eq!(
        reason(ErrorRecovery::builder().max_attempts(0)),
        "invalid configuration: recovery.max_attempts is 0, expected at least 1"
    );
    for factor in [0.5, f32::NAN, f32::INFINITY] {
        assert!(reason(ErrorRecovery::builder().factor(factor)).contains("recovery.factor is"));
    }
    let long = ErrorRecovery::builder().max_delay(Duration::MAX);
    assert!(reason(long).contains("recovery.max_delay is"));
    let longer = ErrorRecovery::builder().first_delay(Duration::from_secs(3));
    assert!(reason(longer).contains("recovery.first_delay is 3s, expected at most 2s"));
}
