//! The filter before a program's panic hook. A program of its own: the hook is the whole process's.

use std::panic;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use burn_privacy_output::{SilentProcess, SilentThread};

static SHOWN: AtomicUsize = AtomicUsize::new(0);

fn panics_on_a_thread() {
    assert!(thread::spawn(|| panic!("a secret")).join().is_err());
}

#[test]
fn panics_print_nothing_while_they_are_silenced_and_everything_before_and_after() {
    panic::set_hook(Box::new(|_| {
        SHOWN.fetch_add(1, Ordering::SeqCst);
    }));
    let shown = || SHOWN.load(Ordering::SeqCst);
    panics_on_a_thread();
    assert_eq!(shown(), 1);

    // The first ones of a process all at once: whichever installs the filter, the program's hook stays behind it.
    let together = Barrier::new(8);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                together.wait();
                let silent = SilentThread::begin();
                assert!(panic::catch_unwind(|| panic!("a secret")).is_err());
                drop(silent);
            });
        }
    });
    assert_eq!(shown(), 1);
    panics_on_a_thread();
    assert_eq!(shown(), 2);

    // One inside another: silence ends with the outer one.
    let outer = SilentThread::begin();
    drop(SilentThread::begin());
    assert!(panic::catch_unwind(|| panic!("a secret")).is_err());
    assert_eq!(shown(), 2);
    // Other threads are not concerned.
    panics_on_a_thread();
    assert_eq!(shown(), 3);
    drop(outer);

    let (first, second) = (SilentProcess::begin(), SilentProcess::begin());
    panics_on_a_thread();
    drop(first);
    panics_on_a_thread();
    assert_eq!(shown(), 3);
    drop(second);
    panics_on_a_thread();
    assert_eq!(shown(), 4);
}
