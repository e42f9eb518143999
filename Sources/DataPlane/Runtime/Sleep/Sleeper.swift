import Configuration
import DPDKShim
import Scheduler
import Synchronization

/// How one poll loop waits when there is nothing to do. On its way from busy to asleep, the loop first keeps polling with longer and longer pauses. When its
/// `BackOff` allows, it asks to be woken by guests' kicks and devices' interrupts, takes one more turn for frames that came before they knew, and only then
/// blocks. After it has woken up and sent what it found, it tells them to be quiet again.
struct Sleeper: ~Copyable {
    // Fields that are set before the loop starts.
    /// An eventfd by which other threads wake the loop.
    let event: Int32

    // Fields that the control thread writes.
    /// The polling mode, as `PollingMode.number`.
    let mode: Atomic<UInt8>

    // Fields that the loop writes and any thread may read.
    var counters = SleepCounters()

    // Fields that only the loop uses.
    /// The epoll set of the descriptors that wake the loop; -1: there is none yet.
    var waitSet: Int32 = -1
    /// The number of the snapshot, and the sum of ring changes, for which the set was built.
    var setNumber: UInt64 = 0
    var setChanges: UInt64 = 0
    /// Whether some queue cannot wake the loop, which therefore polls it now and then.
    var isBlind = false
    /// Whether guests and devices have been asked to wake the loop.
    var isArmed = false
    /// Whether one of them has woken the loop since; a device may not do so again unless it is asked again.
    var isSpent = false
    /// Whether the loop has slept since they were asked, and its last sleep was ended by something else than them.
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

/// How often and how long one loop slept. Only its lcore writes this; any thread may read it, as each field is an aligned word.
struct SleepCounters {
    var sleeps: UInt64 = 0
    /// How many sleeps were ended by a kick or an interrupt, by the control thread, and by the end of their time.
    var wokenByTraffic: UInt64 = 0
    var wokenByControl: UInt64 = 0
    var wokenByTime: UInt64 = 0
    var cycles: UInt64 = 0
}

/// Times that govern how loops sleep, in ns.
enum Patience {
    /// A loop wakes this long before a class or a pace is due and polls until then, as it is not known how long waking takes.
    @inline(__always) static var lead: Nanoseconds { @_noLocks get { 60_000 } }
    /// The shortest wait for which it is worth blocking.
    @inline(__always) static var shortestWait: Nanoseconds { @_noLocks get { 20_000 } }
    /// The shortest and the longest time between two polls of queues that cannot wake the loop. In between it is a quarter of the time without work.
    @inline(__always) static var shortestNap: Nanoseconds { @_noLocks get { 20_000 } }
    @inline(__always) static var longestNap: Nanoseconds { @_noLocks get { 500_000 } }
    /// A loop polls all its queues at least this often, so that an announcement that is missed costs no more than that.
    @inline(__always) static var longestSleep: Nanoseconds { @_noLocks get { 100_000_000 } }
}

extension PollingMode {
    /// The mode as the loops compare it: the larger the number, the sooner a loop blocks.
    var number: UInt8 {
        switch self {
        case .polling: 0
        case .adaptive: 1
        case .interrupt: 2
        }
    }
}
