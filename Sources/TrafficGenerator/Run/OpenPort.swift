import DPDKShim
import Foundation

/// A device that has been started; `close` removes it.
struct OpenPort {
    let plan: PortPlan
    let device: UInt16
    let queues: UInt16
    private let pool: OpaquePointer

    init(_ plan: PortPlan, index: Int, pool: OpaquePointer, mtu: Int, deadline: ContinuousClock.Instant, interrupted: () -> Bool) throws {
        self.plan = plan
        self.pool = pool
        let devargs = Self.devargs(plan, index)
        if plan.server, let socket = plan.socket { try Self.clear(socket, for: plan.name) }
        var found: UInt16 = 0
        var result: CInt
        repeat {
            let watch = plan.server ? ListenerWatch(plan.socket ?? "", deadline) : nil
            result = sluice_device_probe(devargs, &found)
            let expired = watch?.end() ?? false
            if result == 0 || expired || interrupted() { break }
            // The switch may not listen yet, so the attempt is repeated.
            if !plan.isVirtioUser || plan.server || ContinuousClock.now >= deadline { break }
            usleep(50_000)
        } while true
        guard result == 0 else {
            if plan.server, let socket = plan.socket { unlink(socket) }
            if interrupted() { throw RunError("interrupted while waiting for port \(plan.name)") }
            throw RunError(Self.refusal(plan, devargs, result))
        }
        device = found
        var setup = sluice_device_setup()
        setup.receive_queues = UInt16(plan.queues)
        setup.transmit_queues = UInt16(plan.queues)
        setup.receive_ring = UInt16(plan.ring)
        setup.transmit_ring = UInt16(plan.ring)
        setup.mtu = UInt16(mtu)
        setup.equal_queues = true
        result = sluice_device_start(found, pool, &setup)
        guard result == 0 else {
            let step = setup.failed_step.map { String(cString: $0) } ?? "start"
            _ = sluice_device_remove(found)
            throw RunError("port \(plan.name) (\(devargs)) did not start: \(step): \(reason(result))")
        }
        guard setup.receive_queues >= 1, setup.receive_queues == setup.transmit_queues else {
            _ = sluice_device_remove(found)
            throw RunError("port \(plan.name) (\(devargs)) has no queues")
        }
        queues = setup.receive_queues
    }

    var isUp: Bool {
        var megabits: UInt32 = 0
        return sluice_device_link(device, &megabits)
    }

    /// Waits until all ports have a link.
    /// - Throws: `RunError` if that takes too long, or when the process was told to end.
    static func awaitLinks(_ ports: [OpenPort], _ deadline: ContinuousClock.Instant, _ interrupted: () -> Bool) throws {
        while true {
            let down = ports.filter { !$0.isUp }
            if down.isEmpty { return }
            if interrupted() { throw RunError("interrupted while waiting for ports") }
            if ContinuousClock.now >= deadline {
                throw RunError("no link on port \(down.map(\.plan.name).joined(separator: ", ")) in time; is the other end up? (`connect` sets how long to wait)")
            }
            usleep(20_000)
        }
    }

    func close() {
        _ = sluice_device_remove(device)
        if plan.server, let socket = plan.socket { unlink(socket) }
    }

    /// Removes a socket that a process which is gone has left behind, as QEMU does. A socket on which somebody listens stays.
    static func clear(_ path: String, for port: String) throws {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else { throw RunError("port \(port): \(path) exists and is no socket") }
        guard !ListenerWatch.knock(path) else {
            throw RunError("port \(port): somebody listens on \(path) already; choose another path, or connect to it without `server: true`")
        }
        unlink(path)
    }

    private static func devargs(_ plan: PortPlan, _ index: Int) -> String {
        guard plan.isVirtioUser, let socket = plan.socket else { return plan.device }
        // Descriptors in order, and mergeable buffers, are what Linux guests negotiate.
        return "net_virtio_user\(index),path=\(socket),server=\(plan.server ? 1 : 0),queues=\(plan.queues),queue_size=\(plan.ring)"
            + ",packed_vq=\(plan.packed ? 1 : 0),mrg_rxbuf=1,in_order=1,mac=\(plan.mac)"
    }

    private static func refusal(_ plan: PortPlan, _ devargs: String, _ result: CInt) -> String {
        guard plan.isVirtioUser, let socket = plan.socket else {
            return "port \(plan.name): DPDK has no device for `\(devargs)` (\(reason(result))); check the driver's name and its arguments, or see the driver's reason with --verbose"
        }
        return plan.server
            ? "port \(plan.name): no switch connected to \(socket) in time; is its vhost port in client mode on this socket?"
            : "port \(plan.name): nothing that speaks vhost-user listens on \(socket) (\(reason(result))); start the switch first, or set `server: true`"
    }
}

extension OpenPort: AnnouncingPort {
    func send(_ bytes: [UInt8]) -> Bool {
        guard let frame = sluice_frame_allocate(pool, UInt16(bytes.count)) else { return false }
        sluice_frame_bytes(frame)?.copyMemory(from: bytes, byteCount: bytes.count)
        var one: OpaquePointer? = frame
        if sluice_device_send(device, 0, &one, 1) == 1 { return true }
        sluice_frame_free(frame)
        return false
    }

    func discard() {
        var batch = [OpaquePointer?](repeating: nil, count: SendStage.burst)
        for queue in 0..<queues {
            let count = sluice_device_receive(device, queue, &batch, UInt16(batch.count))
            if count > 0 { sluice_frames_free(&batch, UInt32(count)) }
        }
    }
}

extension PortPlan {
    static let virtioUser = "virtio_user:"
    var isVirtioUser: Bool { device.hasPrefix(Self.virtioUser) }
    /// The path of the vhost-user socket; nil: the device is none of virtio_user.
    var socket: String? { isVirtioUser ? String(device.dropFirst(Self.virtioUser.count)) : nil }
    /// The device's PCI address, if it has one.
    var pciAddress: String? {
        let address = device.split(separator: ",").first.map(String.init) ?? ""
        let parts = address.split(whereSeparator: { $0 == ":" || $0 == "." })
        return !isVirtioUser && (3...4).contains(parts.count) && parts.allSatisfy { $0.allSatisfy(\.isHexDigit) } ? address : nil
    }
}

/// Ends virtio_user's wait for a switch. virtio_user blocks in accept() until a switch connects; this connects itself when the time is up or the process was
/// told to end.
final class ListenerWatch: @unchecked Sendable {
    private let socket: String
    private let deadline: ContinuousClock.Instant
    private let lock = NSCondition()
    private var ended = false
    private var expired = false
    private var running = true

    init(_ socket: String, _ deadline: ContinuousClock.Instant) {
        self.socket = socket
        self.deadline = deadline
        let thread = Thread { [self] in watch() }
        thread.start()
    }

    private func watch() {
        lock.lock()
        while !ended {
            if ContinuousClock.now >= deadline || Signals.pending {
                expired = true
                _ = Self.knock(socket)
                break
            }
            _ = lock.wait(until: Date(timeIntervalSinceNow: 0.1))
        }
        running = false
        lock.broadcast()
        lock.unlock()
    }

    /// Ends the watch.
    /// - Returns: true if it had to end the wait.
    func end() -> Bool {
        lock.lock()
        defer { lock.unlock() }
        ended = true
        lock.broadcast()
        while running { lock.wait() }
        return expired
    }

    /// Connects to a socket, and disconnects at once.
    /// - Returns: false if nobody listens.
    static func knock(_ path: String) -> Bool {
        let fd = Foundation.socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
        guard fd >= 0 else { return false }
        let result = FrontendSocket.withAddress(path) { connect(fd, $0, $1) }
        Foundation.close(fd)
        return result == 0
    }
}
