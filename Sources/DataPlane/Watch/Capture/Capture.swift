import Configuration
import DPDKShim
import Glibc
import Scheduler
import Synchronization

/// What is to be captured.
public struct CaptureSettings: Sendable {
    public enum Place: Equatable, Sendable {
        case port(String)
        case guest(String)
        /// A class with all classes below it, by its path or the end of it.
        case `class`(String)
    }
    public var place: Place
    /// An expression of pcap-filter(7); nil: all frames.
    public var expression: String?
    /// Whether frames are captured that come in by the port or from the guest, and those that leave by it or towards the guest. Of a class: the classes for
    /// traffic from guests (they leave by uplinks), and those for traffic towards guests.
    public var entering = true
    public var leaving = true
    /// Whether frames that leave are captured before they wait in their class instead of after it.
    public var before = false
    /// Whether only frames are captured that are counted as dropped there.
    public var droppedOnly = false
    /// How many bytes of each frame are kept at most.
    public var longest = 65_535
    /// The most frames a second.
    public var rate: UInt64 = 100_000

    public init(_ place: Place) { self.place = place }
}

/// A frame as it was captured.
public struct CapturedFrame: Sendable {
    public enum Point: Sendable { case entering, queued, leaving }
    /// Nanoseconds since 1970.
    public var time: UInt64
    public var point: Point
    /// The port where it was seen.
    public var port: String
    /// The class that it is in, and that class's tree; nil: none is known.
    public var path: String?
    public var tree: String?
    /// Nanoseconds that it waited in its class; nil: it is not known, or it has not left.
    public var waited: UInt64?
    /// Why it was dropped, and at which port that is counted; nil: it was not, as far as the capture saw it.
    public var drop: String?
    public var dropPort: String?
    /// Bytes of the whole frame.
    public var length: Int
    /// Those that were kept.
    public var bytes: [UInt8]

    package init(time: UInt64, point: Point, port: String, length: Int, bytes: [UInt8]) {
        (self.time, self.point, self.port, self.length, self.bytes) = (time, point, port, length, bytes)
    }
}

/// A capture in progress. The control thread begins and ends it; `take` may be called on any other thread.
public final class Capture: @unchecked Sendable {
    public let settings: CaptureSettings
    let program: FilterProgram?
    /// The capture's state on each lcore.
    let states: [UnsafeMutablePointer<CaptureState>]
    private let bucket: UnsafeMutablePointer<CaptureBucket>
    private let runtime: Runtime
    /// What is added to the loops' clock for the time since 1970.
    private let offset: UInt64

    /// The names behind the numbers in records.
    struct Names {
        var ports: [PortIndex: String] = [:]
        /// The tree of what leaves by each port, and the classes' paths of each tree.
        var trees: [PortIndex: String] = [:]
        var paths: [String: [ClassID: String]] = [:]
    }
    private struct Shared {
        var names = Names()
        var isOpen = true
    }
    private let shared = Mutex(Shared())

    /// The room for frames that wait to be read, on all lcores together, and that of one lcore.
    private static let room = 16 << 20, mostRoom = 4 << 20, leastRoom = 256 << 10

    init(_ settings: CaptureSettings, _ program: FilterProgram?, _ runtime: Runtime) {
        self.settings = settings
        self.program = program
        self.runtime = runtime
        let bucket = UnsafeMutablePointer<CaptureBucket>.onOwnLines(1)
        bucket.initialize(to: CaptureBucket())
        self.bucket = bucket
        var size = Self.mostRoom
        while size > Self.leastRoom, size * runtime.lcores.count > Self.room { size /= 2 }
        states = runtime.lcores.indices.map { [size] _ in
            let state = UnsafeMutablePointer<CaptureState>.onOwnLines(1)
            state.initialize(to: CaptureState(size: size, bucket: bucket))
            return state
        }
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        offset = UInt64(now.tv_sec) &* 1_000_000_000 &+ UInt64(now.tv_nsec) &- runtime.now
    }

    /// Frees everything. No poll loop may use the capture any more. `take` finds nothing from then on.
    func destroy() {
        shared.withLock { shared in
            guard shared.isOpen else { return }
            shared.isOpen = false
            for state in states {
                state.deinitialize(count: 1)
                state.deallocate()
            }
            bucket.deinitialize(count: 1)
            bucket.deallocate()
            program?.destroy()
        }
    }

    /// Takes over the present names. Those that are gone stay known, as frames with their numbers may still be waiting to be read.
    func adopt(_ names: Names) {
        shared.withLock { shared in
            var names = names
            names.ports.merge(shared.names.ports) { new, _ in new }
            names.trees.merge(shared.names.trees) { new, _ in new }
            for (tree, paths) in shared.names.paths { names.paths[tree, default: [:]].merge(paths) { new, _ in new } }
            shared.names = names
        }
    }

    /// How many frames the capture was meant to have, and how many of these it does not have: their copies found no room, as the reader was too slow; or the
    /// rate was reached. Valid until `take` returns nil.
    public struct Counts: Sendable {
        public var matched: UInt64 = 0
        public var full: UInt64 = 0
        public var limited: UInt64 = 0
        public init() {}
    }

    public var counts: Counts? {
        shared.withLock { shared in
            if !shared.isOpen { return nil }
            return states.reduce(into: Counts()) { sum, state in
                sum.matched &+= state.pointee.matched
                sum.full &+= state.pointee.full
                sum.limited &+= state.pointee.limited
            }
        }
    }

    /// The next frames in the order of their times; none: there are none now. nil: the capture is closed.
    /// - Parameter most: about how many bytes there are to be at most.
    public func take(atMost most: Int) -> [CapturedFrame]? {
        shared.withLock { shared in
            guard shared.isOpen else { return nil }
            let ends = states.map { $0.pointee.ring.end }
            guard zip(states, ends).contains(where: { $0.pointee.ring.position != $1 }) else { return [] }
            // Until the turn of a record has ended, it may still be noted there that the frame was dropped.
            runtime.grace.wait()
            var records: [(header: CaptureHeader, bytes: [UInt8])] = []
            for (state, end) in zip(states, ends) {
                let ring = state.pointee.ring
                var position = ring.position, left = most / states.count
                while left > 0, let record = ring.next(&position, until: end) {
                    left -= record.bytes.count + MemoryLayout<CaptureHeader>.size
                    records.append((record.header, Array(record.bytes)))
                }
                ring.release(before: position)
            }
            return records.sorted { $0.header.time < $1.header.time }.map { frame($0.header, $0.bytes, shared.names) }
        }
    }

    private func frame(_ header: CaptureHeader, _ bytes: [UInt8], _ names: Names) -> CapturedFrame {
        let point: CapturedFrame.Point = switch CapturePoint(rawValue: header.point) {
        case .queued: .queued
        case .leaving: .leaving
        default: .entering
        }
        let tree = header.leaf == 0 ? nil : names.trees[header.port], path = tree.flatMap { names.paths[$0]?[header.leaf] }
        var frame = CapturedFrame(time: header.time &+ offset, point: point, port: names.ports[header.port] ?? "gone", length: Int(header.length), bytes: bytes)
        if let path { (frame.path, frame.tree) = (path, tree) }
        if header.waited != CaptureHeader.notKnown { frame.waited = header.waited }
        if let drop = DropReason(rawValue: header.drop) { (frame.drop, frame.dropPort) = (drop.name, names.ports[header.dropPort]) }
        return frame
    }
}
