import DPDKShim
import Glibc
import Synchronization

/// Waits until no poll loop uses any more what was unpublished before the call: until each loop has begun a turn since then or is at rest (`LoopEpoch`). It may
/// be called on any thread but a poll loop's. A turn takes microseconds, so the wait is short.
struct GracePeriod: @unchecked Sendable {
    let lcores: UnsafeMutableBufferPointer<Lcore>

    func wait() {
        // All loops are asked before the first is waited for, so that the wait lasts as long as the longest of their turns, not as long as all of them
        // together.
        let questions = lcores.indices.map { (lcores.baseAddress! + $0).pointee.epoch.ask() }
        for (index, question) in zip(lcores.indices, questions) {
            let lcore = lcores.baseAddress! + index
            waitFor(lcore, microseconds: 20) { !lcore.pointee.epoch.isAnswered(question) }
        }
    }
}

/// The grace period that must pass before a device's memory is unmapped; nil: no loops run.
private let running = Mutex<GracePeriod?>(nil)

extension GracePeriod {
    /// From now on, EAL's interrupt thread unmaps a device's memory only after the loops have stopped using it. nil ends that.
    static func guardDevices(_ grace: GracePeriod?) {
        running.withLock { $0 = grace }
        sluice_before_unmapping(grace == nil ? nil : waitForLoops)
    }
}

@c private func waitForLoops() { running.withLock { $0 }?.wait() }

/// Sleeps for a moment. The control thread uses it to wait for the poll loops, which never wait for it.
func pause(microseconds: Int) {
    var time = timespec(tv_sec: 0, tv_nsec: microseconds * 1_000)
    nanosleep(&time, nil)
}
