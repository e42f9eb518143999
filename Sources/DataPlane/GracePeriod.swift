import DPDKShim
import Glibc
import Synchronization

/// Waits until every poll loop has finished a turn that began after the call, or sleeps: then none still uses what was unpublished before it.
/// (Two turns: the loop counts a turn and loads its snapshot without a fence between, so the load may overtake the count.)
/// May be called on any thread but a poll loop's. Loops take microseconds a turn, so the wait is short.
struct GracePeriod: @unchecked Sendable {
    let lcores: UnsafeMutableBufferPointer<Lcore>

    func wait() {
        // A loop that sleeps from here on has woken, if at all, to what is published now.
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        for index in lcores.indices {
            let lcore = lcores.baseAddress! + index
            let seen = lcore.pointee.turns.load(ordering: .sequentiallyConsistent)
            waitFor(lcore, microseconds: 20) {
                lcore.pointee.running.load(ordering: .acquiring) && !lcore.pointee.sleeper.isAsleep.load(ordering: .sequentiallyConsistent)
                    && lcore.pointee.turns.load(ordering: .acquiring) &- seen < 2
            }
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
