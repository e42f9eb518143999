import Configuration
import DPDKShim
import Scheduler
import Synchronization

/// How one poll loop waits when there is nothing to do. Ways from busy to asleep: the loop turns on, with longer and longer pauses; when its
/// `BackOff` says so it asks to be woken (guests' kicks, devices' interrupts), turns once more, for what came before they knew, and
/// only then blocks. Awake again, it asks for quiet once it has sent what it found.
struct Sleeper: ~Copyable {
    // Set before the loop starts.
    /// By which other threads wake the loop: an eventfd.
    let event: Int32

    // Written by the control thread.
    /// A `PollingMode.number`.
    let mode: Atomic<UInt8>

    // Written by the loop, read by anyone.
    var counters = SleepCounters()

    // The loop's own.
    /// Descriptors that wake the loop; -1: none yet.
    var waitSet: Int32 = -1
    /// The snapshot and the state of its ports' rings that the set was built for.
    var setNumber: UInt64 = 0
    var setChanges: UInt64 = 0
    /// Some queue cannot wake the loop, which therefore looks at it now and then.
    var isBlind = false
    /// Guests and devices know that they are to wake the loop.
    var isArmed = false
    /// One of them did since: a device may not do so again unless it is asked once more.
    var isSpent = false
    /// Since they were asked the loop slept, and something else than they ended its last sleep.
    var wokeUntold = false
    var backOff: BackOff

    init(event: Int32, mode: PollingMode, backOff: BackOff) {
        self.backOff = backOff
        self.event = event
        self.mode = Atomic(mode.number)
    }

    deinit {
        sluice_event_close(event)
        if waitSet >= 0 { sluice_wait_set_close(waitSet) }
    }
}

/// What one loop slept. Its lcore is the only writer; anyone may read, as each field is an aligned word.
struct SleepCounters {
    var sleeps: UInt64 = 0
    /// What ended them: a kick or an interrupt, the control thread, or the time that was set.
    var wokenByTraffic: UInt64 = 0
    var wokenByControl: UInt64 = 0
    var wokenByTime: UInt64 = 0
    var cycles: UInt64 = 0
}

/// Nanoseconds of the ways to sleep.
enum Patience {
    /// A loop wakes this long before a class or a pace is due, and turns until then: waking takes time that is not known.
    @inline(__always) static var lead: Nanoseconds { @_noLocks get { 60_000 } }
    /// Not worth blocking for.
    @inline(__always) static var shortestWait: Nanoseconds { @_noLocks get { 20_000 } }
    /// Between two looks at queues that cannot wake the loop: a quarter of the time without work, within these.
    @inline(__always) static var shortestNap: Nanoseconds { @_noLocks get { 20_000 } }
    @inline(__always) static var longestNap: Nanoseconds { @_noLocks get { 500_000 } }
    /// A loop looks at everything that often whatever happens: librte_vhost reports a ring as empty while one of its own threads holds it.
    @inline(__always) static var longestSleep: Nanoseconds { @_noLocks get { 100_000_000 } }
}

extension PollingMode {
    /// As the loops compare it: the larger, the sooner a loop blocks.
    var number: UInt8 {
        switch self {
        case .polling: 0
        case .adaptive: 1
        case .interrupt: 2
        }
    }
}
