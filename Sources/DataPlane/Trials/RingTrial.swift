import DPDKShim
import Glibc
import VhostUser

/// Runs one ring for tests and for counting instructions, against memory in which a test plays the guest's driver. It needs a process of its own, as it starts
/// EAL, without hugepages.
public final class RingTrial {
    /// The guest's memory: two regions that lie apart both in the guest and here. A forked process shares it, the ring's journal and the log.
    public let memory: [(start: UInt64, host: UnsafeMutableRawPointer)]
    public static let regionBytes = 1 << 20
    /// How much of the first region is the ring's own.
    package static let ownBytes = 0x60000
    private let table: GuestMemory
    package let journal: UnsafeMutableRawBufferPointer
    /// Where writes to the guest's memory are logged, if they are: a bit for each page.
    private let log: UnsafeMutableBufferPointer<UInt8>
    package static let pageBytes = 4_096
    private let ring = UnsafeMutablePointer<GuestRing>.onOwnLines(1)
    private let scratch = RingScratch()
    let frames = UnsafeMutablePointer<Frame?>.zeroed(burstSize)
    private let counters = UnsafeMutablePointer<PortCounters>.zeroed(1)
    private let pool: OpaquePointer
    /// The descriptor by which the driver is told of used buffers.
    private let call = sluice_event_create()

    /// - Parameter buffers: how many buffers there are, of `bufferSize` bytes.
    public init(buffers: Int, bufferSize: Int) throws {
        try EAL.start(["test", "--no-huge", "-m", "64", "--no-pci", "--lcores", "0", "--log-level", "lib.*:error", "--no-telemetry", "--no-shconf"])
        guard let pool = rte_pktmbuf_pool_create("frames", UInt32(buffers), 0, 0, UInt16(bufferSize + Int(RTE_PKTMBUF_HEADROOM)), SOCKET_ID_ANY) else {
            throw DataPlaneError("no pool: \(DataPlaneError.errorText(sluice_rte_errno()))")
        }
        self.pool = pool
        memory = [0x1_0000, 0x8000_0000].map { (start: UInt64) in
            // Whoever reads or writes beside a region dies of it.
            let around = mmap(nil, Self.regionBytes + (2 << 20), PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)!
            mprotect(around + (1 << 20), Self.regionBytes, PROT_READ | PROT_WRITE)
            return (start: start, host: around + (1 << 20))
        }
        journal = UnsafeMutableRawBufferPointer(
            start: mmap(nil, RingJournal.bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), count: RingJournal.bytes)
        let logged = memory.map { Int($0.start) + Self.regionBytes }.max()! / Self.pageBytes / 8
        log = UnsafeMutableBufferPointer(
            start: mmap(nil, logged, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)!.assumingMemoryBound(to: UInt8.self), count: logged)
        var table = GuestMemory()
        table.replace(by: memory.map { GuestRegion(start: $0.start, length: UInt64(Self.regionBytes), host: $0.host) })
        self.table = table
    }

    /// Gives the ring a size and a layout. Its parts stand at the beginning of the first region: descriptors at 0, the driver's part at 0x40000, the device's
    /// part at 0x50000.
    /// - Parameters:
    ///   - segmentation: which frames the driver may leave to be segmented; see `Segmentation`.
    ///   - keepsMemory: whether only the ring's own memory is cleared, as frames still refer to what is behind it.
    public func setUp(
        size: UInt16, isPacked: Bool, isMergeable: Bool = true, header: UInt8 = 12, hasEventIndex: Bool = false, isInOrder: Bool = false,
        hasOffloads: Bool = true, isLogged: Bool = false, segmentation: UInt8 = 0, keepsMemory: Bool = false
    ) {
        memset(memory[0].host, 0, keepsMemory ? Self.ownBytes : Self.regionBytes)
        if !keepsMemory { memset(memory[1].host, 0, Self.regionBytes) }
        var new = GuestRing()
        new.descriptors = memory[0].host
        new.driverArea = memory[0].host + 0x40000
        new.deviceArea = memory[0].host + 0x50000
        (new.size, new.isPacked, new.isMergeable, new.headerLength, new.hasEventIndex) = (size, isPacked, isMergeable, header, hasEventIndex)
        (new.isInOrder, new.hasOffloads, new.segmentation) = (isInOrder, hasOffloads, Segmentation(rawValue: segmentation))
        new.call = call
        log.initialize(repeating: 0)
        if isLogged { (new.logBits, new.logLength) = (log.baseAddress, UInt64(log.count)) }
        new.memory = table
        new.position = .start(packed: isPacked)
        if let memory = journal.baseAddress { new.journal = RingJournal(memory: memory) }
        ring.initialize(to: new)
        if isPacked { _ = ring.takeUp(identity: 1, .start(packed: true), from: .connection) }
    }

    /// Takes the ring up as another process would after this one was killed.
    /// - Parameters:
    ///   - told: where it goes on as the frontend says; nil: where it began.
    ///   - identity: 1 for the ring that was set up.
    /// - Returns: false if it may stand still.
    package func takeUp(told: UInt16? = nil, identity: UInt64 = 1) -> Bool {
        (ring.pointee.fault, ring.pointee.hasTold) = (.none, false)
        if ring.pointee.isPacked {
            let position = told.map { RingPosition.packed(next: $0, wrap: true, used: $0, usedWrap: true) }
            return ring.takeUp(identity: identity, position ?? .start(packed: true), from: .earlier)
        }
        ring.takeUpSplit()
        return true
    }

    /// Takes the log: for each region the pages that were logged since this was last asked, by their number in the region.
    package func takeLog() -> [Set<Int>] {
        defer { log.update(repeating: 0) }
        return memory.map { region in
            let first = Int(region.start) / Self.pageBytes
            return Set((0..<Self.regionBytes / Self.pageBytes).filter { log[(first + $0) / 8] >> ((first + $0) % 8) & 1 != 0 })
        }
    }
    /// Whether anything of the regions is logged now.
    package var hasLog: Bool {
        memory.contains { region in
            let first = Int(region.start) / Self.pageBytes / 8
            return log[first..<first + Self.regionBytes / Self.pageBytes / 8].contains { $0 != 0 }
        }
    }

    /// Asks the driver to notify the switch of available buffers, or not to.
    package func expect(_ isWanted: Bool) { if isWanted { ring.expect() } else { ring.silence() } }

    /// How often the driver was told of used buffers since this was last asked.
    package func takeCalls() -> Int {
        var count: UInt64 = 0
        return read(call, &count, 8) == 8 ? Int(count) : 0
    }

    /// Why the ring was stopped; nil: it runs.
    public var fault: String? { ring.pointee.fault == .none ? nil : "\(ring.pointee.fault)" }
    package var freeBuffers: Int { Int(rte_mempool_avail_count(pool)) }
    /// Frames that were counted and went no further.
    package var rejected: UInt64 { counters.pointee.receivedFrames }

    /// Receives from the ring as a poll loop does.
    /// - Parameter mayRefer: whether long frames may stay in the guest's buffers at first.
    /// - Returns: the frames' bytes, but for those that there are too few buffers to hold.
    package func receive(_ wanted: Int = burstSize, mayRefer: Bool = false) -> [[UInt8]] {
        let count = RingReceiver.receive(ring, wanted, pool, frames, scratch, counters, mayRefer: mayRefer)
        let areWhole = (0..<count).map { sluice_frame_complete(frames[$0]!) == 0 }
        ring.publishAndTell()
        return (0..<count).compactMap { index in
            let frame = frames[index]!
            guard areWhole[index] else {
                sluice_frame_free(frame)
                return nil
            }
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
        stage(contents)
        let sent = sendStaged(contents.count)
        sluice_frames_free(frames, UInt32(contents.count))
        return sent
    }

    /// Receives from the ring, and keeps the frames for `cut`, `complete` or `sendStaged`.
    /// - Parameter mayRefer: whether long frames may stay in the guest's buffers, which the caller then leaves as they are.
    /// - Returns: how many there are.
    package func take(_ wanted: Int = burstSize, mayRefer: Bool = false) -> Int {
        let count = RingReceiver.receive(ring, wanted, pool, frames, scratch, counters, mayRefer: mayRefer)
        ring.publishAndTell()
        return count
    }

    /// Receives a frame, whose sender left it to be segmented or its checksum to be finished, as from a device with `joined`, and keeps it as frame 0.
    /// - Parameters:
    ///   - segmentSize: how many bytes of data each segment has; 0: it is not to be segmented.
    ///   - parts: the lengths of the buffers that it is in, of which the last is used again and again.
    /// - Returns: false if it does not say how to do that, and was dropped.
    package func takeJoined(_ bytes: [UInt8], segmentSize: UInt16, parts: [Int]) -> Bool {
        var first: Frame?, last: Frame?, done = 0, number = 0
        while done < bytes.count {
            let count = min(parts[min(number, parts.count - 1)], bytes.count - done)
            guard let part = sluice_frame_allocate(pool, UInt16(count)) else { preconditionFailure("there are too few buffers") }
            bytes.withUnsafeBytes { sluice_copy(sluice_frame_bytes(part), $0.baseAddress! + done, count) }
            if let first, let last { sluice_frame_append(first, last, part) } else { first = part }
            (last, done, number) = (part, done + count, number + 1)
        }
        sluice_frame_mark_received(first, segmentSize)
        guard sluice_frame_take_joined(first) else {
            sluice_frame_free(first)
            return false
        }
        frames[0] = first
        return true
    }

    /// Whether a kept frame is still in the guest's buffers, but for its front.
    package func isReferring(_ index: Int) -> Bool { sluice_frame_is_partial(frames[index]!) }

    /// Makes a kept frame whole.
    /// - Returns: its bytes; nil: there are too few buffers.
    package func complete(_ index: Int) -> [UInt8]? {
        guard sluice_frame_complete(frames[index]!) == 0 else { return nil }
        return [UInt8](unsafeUninitializedCapacity: Int(sluice_frame_length(frames[index]!))) { buffer, count in
            sluice_frame_read(frames[index]!, buffer.baseAddress)
            count = Int(sluice_frame_length(frames[index]!))
        }
    }

    /// The frames that leave in place of a kept one where it cannot leave whole, with finished checksums.
    package func cut(_ index: Int) -> [[UInt8]] {
        let frame = frames[index]!
        guard isToBeSegmented(frame) else { return [] }
        var cutter = SegmentCutter(frame), result: [[UInt8]] = []
        let (count, longest, bytes) = (cutter.left, Int(cutter.longest), Int(sluice_frame_length(frame)) + cutter.overhead)
        while let segment = cutter.next(pool) {
            guard sluice_frame_finish_checksums(segment) == 0 else { return [] }
            result.append([UInt8](unsafeUninitializedCapacity: Int(sluice_frame_length(segment))) { buffer, count in
                sluice_frame_read(segment, buffer.baseAddress)
                count = Int(sluice_frame_length(segment))
            })
            sluice_frame_free(segment)
        }
        // There were not enough buffers.
        if cutter.left != 0 { return result }
        precondition(count == result.count && longest == result[0].count && bytes == result.reduce(0) { $0 + $1.count }, "what is charged is not what leaves")
        return result
    }

    /// Does the same as `receive`, and forgets the frames.
    /// - Parameter wanted: the most frames; nil: a burst.
    /// - Returns: how many there were.
    @discardableResult
    public func drain(_ wanted: Int? = nil) -> Int {
        let count = RingReceiver.receive(ring, wanted ?? burstSize, pool, frames, scratch, counters, mayRefer: false)
        ring.publishAndTell()
        sluice_frames_free(frames, UInt32(count))
        return count
    }

    /// Sends the first of the frames that were staged.
    /// - Returns: how many the ring took.
    @discardableResult
    public func sendStaged(_ count: Int) -> Int {
        let sent = RingSender.send(ring, frames, count, scratch)
        ring.publishAndTell()
        return sent
    }
    package func freeStaged(_ count: Int) { sluice_frames_free(frames, UInt32(count)) }

    /// Makes frames that can be sent.
    public func stage(_ contents: [[UInt8]]) {
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
    }
}
