import ControlAPI
import DataPlane
import Dispatch
import Foundation
import Synchronization

/// A capture on its way to the client: frames as pieces of a pcapng file, and at the end what became of those that are not in it.
final class CaptureStream: AnswerStream, @unchecked Sendable {
    let capture: Capture
    private let dataPlane: DataPlane
    private let queue: DispatchQueue
    private let most: UInt64
    private let deadline: ContinuousClock.Instant?
    private let interfaces: [String]
    /// Whether no more frames are captured, and why, if neither the client nor the capture's own limits ended it.
    private let hasStopped = Atomic<Bool>(false)
    private let reason = Mutex<String?>(nil)

    // `next` alone uses these.
    private var writer: PcapngWriter
    private var frames: UInt64 = 0
    private var lastTime: UInt64 = 0
    private var hasBegun = false
    private var isStopping = false

    /// About how many bytes are taken at once.
    private static let piece = 256 << 10

    /// - Parameters:
    ///   - interfaces: the ports that frames can come from, as far as they are known.
    ///   - queue: the control thread's, where alone the data plane may be used.
    init(_ capture: Capture, _ params: CaptureParams, interfaces: [String], _ dataPlane: DataPlane, queue: DispatchQueue) {
        (self.capture, self.dataPlane, self.queue, self.interfaces) = (capture, dataPlane, queue, interfaces)
        most = params.count.map { UInt64($0) } ?? .max
        deadline = params.seconds.map { .now + .seconds($0) }
        writer = PcapngWriter(application: "sluice \(sluiceVersion)", filter: params.expression, longest: capture.settings.longest)
    }

    func stop() {
        dataPlane.endCapture(capture)
        hasStopped.store(true, ordering: .releasing)
    }

    /// Whether the capture goes on.
    var isRunning: Bool { !hasStopped.load(ordering: .acquiring) }

    /// Ends the capture; what was captured is still sent, and the reason with it.
    func stop(because reason: String) {
        self.reason.withLock { $0 = reason }
        stop()
    }

    func close() {
        stop()
        dataPlane.closeCapture(capture)
    }

    func next() -> AnswerStreamPiece {
        if !hasBegun {
            // A reader learns at once that this is a capture and of which ports, even if no frame comes for long.
            hasBegun = true
            for name in interfaces { writer.describe(name) }
        }
        // If the capture had ended before the rings are looked at, no frames come behind those that are found there.
        let isOver = hasStopped.load(ordering: .acquiring)
        guard let found = capture.take(atMost: Self.piece) else { return .end(Data()) }
        for frame in found.prefix(Int(clamping: most - frames)) { write(frame) }
        if let deadline, !isStopping, .now >= deadline {
            isStopping = true
            queue.async { self.stop() }
        }
        if frames < most, !isOver || !found.isEmpty { return writer.count == 0 ? .nothing : .bytes(Self.framed(writer.take())) }
        return .end(last())
    }

    private func write(_ frame: CapturedFrame) {
        frames += 1
        lastTime = max(lastTime, frame.time)
        writer.write(
            frame.bytes, length: frame.length, time: frame.time, interface: frame.port, direction: frame.point == .entering ? .inbound : .outbound,
            comment: frame.comment)
    }

    /// The end of the file, and of the capture.
    private func last() -> Data {
        var end = CaptureEnd.Params()
        let counts = capture.counts ?? Capture.Counts()
        (end.frames, end.matched, end.reason) = (frames, counts.matched, reason.withLock { $0 })
        if counts.full > 0 { end.lost.append(.init(counts.full, "they were not read in time")) }
        if counts.limited > 0 { end.lost.append(.init(counts.limited, "more than \(capture.settings.rate) a second came")) }
        writer.writeStatistics(
            time: lastTime, matched: counts.matched, lost: counts.full + counts.limited, delivered: frames,
            comment: end.lost.map { "\($0.frames) frames were not captured because \($0.reason)" }.joined(separator: "; "))
        return Self.framed(writer.take()) + Self.line(CaptureEnd(end))
    }

    private static func framed(_ bytes: [UInt8]) -> Data { bytes.isEmpty ? Data() : line(CaptureNotice(bytes: bytes.count)) + bytes }

    private static func line(_ value: some Encodable) -> Data { ((try? JSONRPC.encoder().encode(value)) ?? Data()) + [0x0a] }
}

extension CapturedFrame {
    /// What a capture tells of a frame besides its bytes.
    package var comment: String {
        var parts: [String]
        switch point {
        case .entering: parts = ["in by \(port)"]
        case .queued: parts = ["for \(port)"]
        case .leaving: parts = ["out by \(port)"]
        }
        if let path, let tree { parts.append("class \(path) of \(tree)") }
        if let waited, point == .leaving || waited > 0 { parts.append(waited == 0 ? "did not wait" : "waited \(Self.duration(waited))") }
        if let drop { parts.append("dropped: \(drop)" + (dropPort == port ? "" : dropPort.map { " at \($0)" } ?? "")) }
        return parts.joined(separator: "; ")
    }

    /// A duration with four digits or more, such as `1.234 ms`.
    package static func duration(_ nanoseconds: UInt64) -> String {
        let units: [(size: UInt64, name: String)] = [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us")]
        guard let unit = units.first(where: { nanoseconds >= $0.size }) else { return "\(nanoseconds) ns" }
        let digits = String(nanoseconds % unit.size * 1_000 / unit.size + 1_000).dropFirst()
        return "\(nanoseconds / unit.size).\(digits) \(unit.name)"
    }
}
