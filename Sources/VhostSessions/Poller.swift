import CLinux
import Glibc

/// Waits for many descriptors (epoll(7)). Each has a number that no other ever has, so that an event which was reported before its descriptor was closed is
/// not taken for one of the next.
struct Poller {
    private let descriptor: Int32
    private var lastNumber: UInt64 = 0

    init() throws(VhostError) {
        descriptor = epoll_create1(Int32(EPOLL_CLOEXEC))
        if descriptor < 0 { throw VhostError("no epoll descriptor can be made: \(errorText())") }
    }

    func end() { close(descriptor) }

    enum Interest {
        case reading, writing
        /// Not even its end.
        case none

        var events: UInt32 {
            switch self {
            case .reading: EPOLLIN.rawValue | EPOLLRDHUP.rawValue
            case .writing: EPOLLOUT.rawValue
            case .none: 0
            }
        }
    }

    /// - Returns: the descriptor's number, or nil if the system has no room for it.
    mutating func add(_ watched: Int32, _ interest: Interest = .reading) -> UInt64? {
        lastNumber += 1
        var event = epoll_event(events: interest.events, data: epoll_data_t(u64: lastNumber))
        return epoll_ctl(descriptor, EPOLL_CTL_ADD, watched, &event) == 0 ? lastNumber : nil
    }

    func change(_ watched: Int32, number: UInt64, _ interest: Interest) {
        var event = epoll_event(events: interest.events, data: epoll_data_t(u64: number))
        _ = epoll_ctl(descriptor, EPOLL_CTL_MOD, watched, &event)
    }

    /// To be called before a descriptor is closed: while another process shares it, closing it here would not end its events.
    func remove(_ watched: Int32) { _ = epoll_ctl(descriptor, EPOLL_CTL_DEL, watched, nil) }

    /// Waits for events, at most until `deadline` (nanoseconds, as `monotonicNow`); nil: for as long as it takes.
    /// - Returns: the numbers of the descriptors that something can be done with.
    func wait(until deadline: UInt64?) -> [UInt64] {
        var timeout: Int32 = -1
        if let deadline {
            let now = monotonicNow()
            timeout = deadline <= now ? 0 : Int32(clamping: (deadline - now + 999_999) / 1_000_000)
        }
        return withUnsafeTemporaryAllocation(of: epoll_event.self, capacity: 64) { events in
            let count = epoll_wait(descriptor, events.baseAddress, Int32(events.count), timeout)
            return events.prefix(Int(max(0, count))).map { $0.data.u64 }
        }
    }
}
