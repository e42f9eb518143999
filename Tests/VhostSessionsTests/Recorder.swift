import Glibc
import VhostSessions
import VhostUser

/// A delegate that notes what it is told and lets a test wait for it.
final class Recorder: VhostDelegate, @unchecked Sendable {
    struct State {
        var connections = 0
        var reasons: [String] = []
        var faults = 0
        /// For how many nanoseconds nobody is to be connected after a fault.
        var hold: UInt64?
        var running: [Int: StartedRing] = [:]
        var starts = 0
        var stops: [Int] = []
        var regions: [GuestMemoryRegion] = []
        var refusals: [String] = []
        var hasLog = false
        var features: VirtioFeatures?
        var mtu: Int?
        var announced: [[UInt8]] = []
        var lines: [String] = []
        /// What was broken of what must hold.
        var violations: [String] = []

        var isConnected: Bool { connections > reasons.count }
    }

    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var state = State()
    /// How far a ring is when it is stopped.
    private let positions: [Int: RingPosition]

    init(positions: [Int: RingPosition] = [:]) {
        self.positions = positions
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_mutex_destroy(mutex)
        pthread_cond_destroy(condition)
        mutex.deallocate()
        condition.deallocate()
    }

    var now: State { with { $0 } }

    @discardableResult func with<Result>(_ body: (inout State) -> Result) -> Result {
        pthread_mutex_lock(mutex)
        defer {
            pthread_cond_broadcast(condition)
            pthread_mutex_unlock(mutex)
        }
        return body(&state)
    }

    /// Waits until something holds.
    /// - Returns: false if it does not within 20 seconds.
    func wait(until holds: (State) -> Bool) -> Bool {
        var limit = timespec()
        clock_gettime(CLOCK_REALTIME, &limit)
        limit.tv_sec += 20
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while !holds(state) {
            if pthread_cond_timedwait(condition, mutex, &limit) != 0 { return holds(state) }
        }
        return true
    }

    func connected() {
        with {
            if $0.isConnected { $0.violations.append("connected twice") }
            $0.connections += 1
        }
    }

    func disconnected(because reason: String, isFault: Bool) -> UInt64? {
        with {
            if !$0.running.isEmpty || !$0.regions.isEmpty || $0.hasLog { $0.violations.append("disconnected before all was given back") }
            $0.reasons.append(reason)
            if isFault { $0.faults += 1 }
            return isFault ? $0.hold : nil
        }
    }

    func agreed(_ features: VirtioFeatures, _ protocolFeatures: ProtocolFeatures) { with { $0.features = features } }

    func start(_ ring: StartedRing) {
        with {
            if $0.running.updateValue(ring, forKey: ring.index) != nil { $0.violations.append("ring \(ring.index) started twice") }
            if ring.memory != $0.regions { $0.violations.append("ring \(ring.index) has other memory than was mapped") }
            $0.starts += 1
        }
    }

    func stop(_ rings: [Int]) -> [RingPosition] {
        with { state in
            rings.map { ring in
                state.stops.append(ring)
                guard let setup = state.running.removeValue(forKey: ring) else {
                    state.violations.append("ring \(ring) stopped while it did not run")
                    return .split(next: 0)
                }
                return positions[ring] ?? setup.position
            }
        }
    }

    func refusedMemory(because reason: String) { with { $0.refusals.append(reason) } }
    func mapped(_ region: GuestMemoryRegion) { with { $0.regions.append(region) } }

    func willUnmap(_ region: GuestMemoryRegion) {
        with {
            if !$0.running.isEmpty { $0.violations.append("memory goes while rings run") }
            $0.regions.removeAll { $0 == region }
        }
    }

    func mapped(_ log: DirtyLog) { with { $0.hasLog = true } }
    func willUnmap(_ log: DirtyLog) { with { $0.hasLog = false } }
    func mtu(_ mtu: Int) { with { $0.mtu = mtu } }
    func status(_ status: DeviceStatus) {}
    func announce(_ address: [UInt8]) { with { $0.announced.append(address) } }
    func log(_ line: String) { with { $0.lines.append(line) } }
}
