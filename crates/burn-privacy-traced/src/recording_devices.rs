//! Devices that record: one for each thread and each other device's settings, handed on when a thread ends.

use std::cell::RefCell;
use std::sync::{Mutex, PoisonError};

use burn::tensor::Device;
use burn_backend::DeviceSettings;

/// Devices of threads that have ended: a process makes 65,536 at most.
static LEFT: Mutex<Vec<(DeviceSettings, Device)>> = Mutex::new(Vec::new());

/// A device that one thread records on, and leaves to others when it ends.
struct OfThread {
    /// Of the device that recordings are replayed on: a tensor whose type a program doesn't choose has the same on both.
    settings: DeviceSettings,
    device: Device,
}

impl OfThread {
    fn take(settings: DeviceSettings) -> Self {
        let mut left = LEFT.lock().unwrap_or_else(PoisonError::into_inner);
        let found = left.iter().position(|(of, _)| *of == settings).map(|at| left.swap_remove(at).1);
        Self { settings, device: found.unwrap_or_else(Device::capture) }
    }
}

impl Drop for OfThread {
    fn drop(&mut self) {
        LEFT.lock().unwrap_or_else(PoisonError::into_inner).push((self.settings, self.device.clone()));
    }
}

thread_local! {
    static DEVICES: RefCell<Vec<OfThread>> = const { RefCell::new(Vec::new()) };
}

/// This thread's device for such settings.
pub(crate) fn recording_device(settings: DeviceSettings) -> Device {
    DEVICES.with_borrow_mut(|devices| {
        if let Some(known) = devices.iter().find(|known| known.settings == settings) {
            return known.device.clone();
        }
        let new = OfThread::take(settings);
        let device = new.device.clone();
        devices.push(new);
        device
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_threads_record_one_after_the_other_than_a_process_has_devices() {
        for _ in 0..=u16::MAX as u32 + 1 {
            std::thread::spawn(|| drop(recording_device(Device::flex().settings()))).join().unwrap();
        }
    }
}
