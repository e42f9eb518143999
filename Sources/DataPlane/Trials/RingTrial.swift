import DPDKShim
import Glibc
import VhostUser

/// Runs one ring for tests, against memory in which a test plays the guest's driver. It needs a process of its own, as it starts EAL, without hugepages.
package final class RingTrial {
    /// The guest's memory: two regions that lie apart both in the guest and here.
    package let memory: [(start: UInt64, host: UnsafeMutableRawPointer)]
    package static let regionBytes = 1 << 20
    private let table: GuestMemory
    private let ring = UnsafeMutablePointer<GuestRing>.onOwnLines(1)
    private let scratch = RingScratch()
    private let frames = UnsafeMutablePointer<Frame?>.zeroed(burstSize)
    private let counters = UnsafeMutablePointer<PortCounters>.zeroed(1)
    private let pool: OpaquePointer
    /// The descriptor by which the driver is told of used buffers.
    private let call = sluice_event_create()

    /// - Parameter buffers: how many buffers there are, of `bufferSize` bytes.
    package init(buffers: Int, bufferSize: Int) throws {
        try Runtime.startEAL(["test", "--no-huge", "-m", "64", "--no-pci", "--lcores", "0", "--log-level", "lib.*:error", "--no-telemetry", "--no-shconf"])
        guard let pool = rte_pktmbuf_pool_create("frames", UInt32(buffers), 0, 0, UInt16(bufferSize + Int(RTE_PKTMBUF_HEADROOM)), SOCKET_ID_ANY) else {
            throw DataPlaneError("no pool: \(DataPlaneError.errorText(sluice_rte_errno()))")
        }
        self.pool = pool
        memory = [0x1_0000, 0x8000_0000].map { (start: UInt64) in
            // Whoever reads or writes beside a region dies of it.
            let around = mmap(nil, Self.regionBytes + (2 << 20), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)!
            mprotect(around + (1 << 20), Self.regionBytes, PROT_READ | PROT_WRITE)
            return (start: start, host: around + (1 << 20))
        }
        var table = GuestMemory()
        table.replace(by: memory.map { GuestRegion(start: $0.start, length: UInt64(Self.regionBytes), host: $0.host) })
        self.table = table
    }

    /// Gives the ring a size and a layout. Its parts stand at the beginning of the first region: descriptors at 0, the driver's part at 0x40000, the device's
    /// part at 0x50000.
    package func setUp(size: UInt16, isPacked: Bool, isMergeable: Bool = true, header: UInt8 = 12, hasEventIndex: Bool = false, isInOrder: Bool = false, hasOffloads: Bool = true) {
        memset(memory[0].host, 0, Self.regionBytes)
        memset(memory[1].host, 0, Self.regionBytes)
        var new = GuestRing()
        new.descriptors = memory[0].host
        new.driverArea = memory[0].host + 0x40000
        new.deviceArea = memory[0].host + 0x50000
        (new.size, new.isPacked, new.isMergeable, new.headerLength, new.hasEventIndex) = (size, isPacked, isMergeable, header, hasEventIndex)
        (new.isInOrder, new.hasOffloads) = (isInOrder, hasOffloads)
        new.call = call
        new.memory = table
        new.position = .start(packed: isPacked)
        ring.initialize(to: new)
    }

    /// How often the driver was told of used buffers since this was last asked.
    package func takeCalls() -> Int {
        var count: UInt64 = 0
        return read(call, &count, 8) == 8 ? Int(count) : 0
    }

    /// Why the ring was stopped; nil: it runs.
    package var fault: String? { ring.pointee.fault == .none ? nil : "\(ring.pointee.fault)" }
    package var freeBuffers: Int { Int(rte_mempool_avail_count(pool)) }
    /// Frames that were counted and went no further.
    package var rejected: UInt64 { counters.pointee.receivedFrames }

    /// Receives from the ring as a poll loop does.
    /// - Returns: the frames' bytes.
    package func receive(_ wanted: Int = burstSize) -> [[UInt8]] {
        let count = RingReceiver.receive(ring, wanted, pool, frames, scratch, counters)
        ring.tellIfNeeded()
        return (0..<count).map { index in
            let frame = frames[index]!
            let bytes = [UInt8](unsafeUninitializedCapacity: Int(sluice_frame_length(frame))) { buffer, count in
                sluice_frame_read(frame, buffer.baseAddress)
                count = Int(sluice_frame_length(frame))
            }
            sluice_frame_free(frame)
            return bytes
        }
    }

    /// Sends to the ring as a poll loop does.
    /// - Returns: how many frames it took.
    package func send(_ contents: [[UInt8]]) -> Int {
        for (index, bytes) in contents.enumerated() {
            // Short segments, so that frames of several are among them.
            let most = index % 3 == 2 ? 97 : Int(sluice_pool_room(pool))
            var first: Frame?
            var last: Frame?
            for start in stride(from: 0, to: bytes.count, by: most) {
                let part = bytes[start..<min(start + most, bytes.count)]
                let segment = sluice_frame_allocate(pool, UInt16(part.count))!
                part.withUnsafeBytes { sluice_copy(sluice_frame_bytes(segment), $0.baseAddress, $0.count) }
                if let first, let last { sluice_frame_append(first, last, segment) } else { first = segment }
                last = segment
            }
            frames[index] = first
        }
        let sent = RingSender.send(ring, frames, contents.count, scratch)
        ring.tellIfNeeded()
        sluice_frames_free(frames, UInt32(contents.count))
        return sent
    }
}
