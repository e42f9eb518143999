import Configuration
import DPDKShim
import Glibc

/// Runs a filter for tests, on one lcore. Each segment of a frame ends where readable memory ends, so that reading beyond it crashes the test.
package final class FilterTrial {
    private let program: FilterProgram
    private let view: UnsafeMutablePointer<FilterView>
    private let lcore = UnsafeMutablePointer<Lcore>.allocate(capacity: 1)
    private let pages: UnsafeMutableRawPointer
    private let headers = UnsafeMutableRawPointer.allocate(byteCount: 2 * burstSize * headerSize, alignment: 128)
    private let lengths = UnsafeMutablePointer<UInt32>.zeroed(burstSize)

    private static let headerSize = 128, segmentSize = 4_096

    /// - Parameter oneByOne: whether rules are run one by one even where they could be run together.
    /// - Throws: an error that says what is wrong with an expression, or that DPDK did not start or did not accept a program.
    package init(_ rules: [FilterRule], _ standard: FilterAction, oneByOne: Bool = false) throws {
        guard Self.hasStarted else { throw DataPlaneError("DPDK did not start") }
        program = try FilterProgram(rules, standard, of: "trial", lcores: 1)
        if oneByOne { for place in 0..<program.partCount { sluice_filter_part_unload(program.loaded.parts + place) } }
        view = .allocate(capacity: 1)
        view.initialize(to: program.view(lcore: 0, reason: .filtered))
        view.pointee.isLast = true
        lcore.initialize(to: Lcore(
            index: 0, of: 1, id: 0, cpu: 0, clock: Clock(frequency: 1_000_000_000), pool: OpaquePointer(headers), backlogLimit: 1, event: -1, mode: .polling))
        let size = 2 * burstSize * 2 * Self.segmentSize
        pages = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        for segment in 0..<2 * burstSize { mprotect(pages + (2 * segment + 1) * Self.segmentSize, Self.segmentSize, PROT_NONE) }
    }

    deinit {
        lcore.deinitialize(count: 1)
        lcore.deallocate()
        view.deallocate()
        program.destroy()
        munmap(pages, 2 * burstSize * 2 * Self.segmentSize)
        headers.deallocate()
        lengths.free()
    }

    /// Filters up to 32 frames of up to 4 096 bytes, the first `contiguous` of which are in the first of two segments. Returns the indices of the frames that
    /// stay.
    package func judge(_ frames: [(bytes: [UInt8], contiguous: Int)]) -> [Int] {
        let received = lcore.pointee.received
        for (number, frame) in frames.enumerated() {
            received[number] = place(frame.bytes, frame.contiguous, number)
            lengths[number] = UInt32(frame.bytes.count)
        }
        let left = filter(received, lengths, frames.count, view, 0, lcore)
        return (0..<left).map { place in
            let number = (UnsafeMutableRawPointer(received[place]!) - headers) / (2 * Self.headerSize)
            precondition(lengths[place] == UInt32(frames[number].bytes.count), "a frame and its length went apart")
            return number
        }
    }

    package func allows(_ frame: [UInt8]) -> Bool { judge([(frame, frame.count)]).count == 1 }

    /// The number of frames that each rule decided about; last, the number that no rule did.
    package var hits: [UInt64] { program.counts }
    /// The number of frames dropped so far.
    package var dropped: UInt64 { lcore.pointee.counters[0].drops[Int(DropReason.filtered.rawValue)] }
    /// The ranges of rules that are run together.
    package var joinedRules: [Range<Int>] {
        (0..<program.partCount).map { program.loaded.parts[$0] }.filter { $0.run != nil }.map { Int($0.first)..<Int($0.end) }
    }

    private func place(_ bytes: [UInt8], _ contiguous: Int, _ number: Int) -> Frame {
        let first = min(contiguous, bytes.count), header = headers + 2 * number * Self.headerSize
        header.initializeMemory(as: UInt8.self, repeating: 0, count: 2 * Self.headerSize)
        for (segment, part) in [bytes[..<first], bytes[first...]].enumerated() {
            let header = header + segment * Self.headerSize, end = pages + (2 * (2 * number + segment) + 1) * Self.segmentSize
            // The layout is explained in `AdmissionTrial`; in addition, the pointer to the next segment is at offset 64.
            UnsafeMutableRawBufferPointer(start: end - part.count, count: part.count).copyBytes(from: part)
            header.storeBytes(of: UInt64(UInt(bitPattern: end - part.count)), as: UInt64.self)
            header.storeBytes(of: 1_000, toByteOffset: 18, as: UInt16.self)
            header.storeBytes(of: first < bytes.count ? 2 : 1, toByteOffset: 20, as: UInt16.self)
            header.storeBytes(of: UInt32(bytes.count), toByteOffset: 36, as: UInt32.self)
            header.storeBytes(of: UInt16(part.count), toByteOffset: 40, as: UInt16.self)
        }
        if first < bytes.count { header.storeBytes(of: UInt64(UInt(bitPattern: header + Self.headerSize)), toByteOffset: 64, as: UInt64.self) }
        return Frame(header)
    }

    /// Starts EAL, which provides the memory in which programs are made. It runs on a thread of its own, because EAL binds the thread that starts it to a CPU.
    private static let hasStarted: Bool = {
        var thread = pthread_t(), result: UnsafeMutableRawPointer?
        pthread_create(&thread, nil, { _ in
            let arguments = ["filters", "--no-huge", "-m", "64", "--no-pci", "--no-telemetry", "--no-shconf", "--log-level", "error"]
            var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
            return rte_eal_init(CInt(arguments.count), &pointers) < 0 ? nil : UnsafeMutableRawPointer(bitPattern: 1)
        }, nil)
        pthread_join(thread, &result)
        return result != nil
    }()
}
