import DPDKShim
import Glibc
import Synchronization

/// Waits until no poll loop uses any more what was unpublished before the call: each has begun a turn since then, or is at rest (`LoopEpoch`).
/// May be called on any thread but a poll loop's. Loops take microseconds a turn, so the wait is short.
struct GracePeriod: @unchecked Sendable {
    let lcores: UnsafeMutableBufferPointer<Lcore>

    func wait() {
        // All are asked before one is waited for: it takes as long as the longest of their turns, not as all of them together.
        let questions = lcores.indices.map { (lcores.baseAddress! + $0).pointee.epoch.ask() }
        for (index, question) in zip(lcores.indices, questions) {
            let lcore = lcores.baseAddress! + index
            waitFor(lcore, microseconds: 20) { !lcore.pointee.epoch.isAnswered(question) }
        }
    }
}

/// The loops that a device's memory must outlive; set while they run.
private let running = Mutex<GracePeriod?>(nil)

extension GracePeriod {
    /// From now on no device's memory is unmapped by EAL's interrupt thread before the loops have let go of it; nil ends that.
    static func guardDevices(_ grace: GracePeriod?) {
        running.withLock { $0 = grace }
        sluice_before_unmapping(grace == nil ? nil : waitForLoops)
    }
}

@c private func waitForLoops() { running.withLock { $0 }?.wait() }

/// Gives the processor away for a moment: the control thread's waits for the poll loops, which never wait for it.
func pause(microseconds: Int) {
    var time = timespec(tv_sec: 0, tv_nsec: microseconds * 1_000)
    nanosleep(&time, nil)
}
