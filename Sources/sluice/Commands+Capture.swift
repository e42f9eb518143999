import ArgumentParser
import Configuration
import ControlAPI
import Foundation

struct CaptureCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "capture", abstract: "Capture frames of a guest, port or class: capture vm1 'tcp port 3260' -w vm1.pcapng",
        discussion: """
            The expression is that of tcpdump (pcap-filter(7)); none: all frames. The file is pcapng, with a comment on each frame: where it was seen, its \
            class, how long it waited, and why it was dropped, if it was. | tshark -r - reads it as it comes. An interrupt (Ctrl-C) ends the capture. What is \
            not captured, because more comes than is read or than --rate allows, is counted and told at the end; no frame waits for a capture. If what is \
            captured is deleted, the capture ends with status 1, and has all frames up to then.
            """)
    @OptionGroup var connecting: Connecting
    @Argument(help: "A guest, a port, or a class with all below it.", completion: .captured) var name: String
    @Argument(help: "An expression of pcap-filter(7).") var expression: [String] = []
    @Option(name: .shortAndLong, help: "The file; -: standard output (default).", completion: .file()) var write: String = "-"
    @Option(help: "guest, port or class, where several have the name.") var kind: CaptureParams.Kind?
    @Option(help: "in (from the guest, in by the port), out (to the guest, out by the port), or both (default).") var direction: CaptureParams.Direction?
    @Flag(help: "Capture what leaves before it waits in its class, instead of after it.") var before = false
    @Flag(help: "Capture only what is dropped.") var dropped = false
    @Option(help: "End after so many frames.", transform: Self.frames) var count: Int?
    @Option(help: "End after so many seconds, or a time such as 500ms or 2min.", transform: Self.seconds) var seconds: Double?
    @Option(help: "Keep so many bytes of each frame, 64 to 65535 (default: all).", transform: Self.bytes) var snaplen: Int?
    @Option(help: "Capture at most so many frames a second, such as 1000 or 1kpps (default: 100000).", transform: Self.rate) var rate: Int?

    // Plain numbers, as tcpdump takes them, or with a unit, as all other commands here do.
    @Sendable private static func frames(_ text: String) throws -> Int {
        guard let number = Int(text) else { throw ValidationError("'\(text)' is not a number of frames: write one such as 1000") }
        return number
    }
    @Sendable private static func seconds(_ text: String) throws -> Double { try Double(text) ?? Double(quantity(text, .time)) / 1_000 }
    @Sendable private static func bytes(_ text: String) throws -> Int { try Int(text) ?? quantity(text, .size) }
    @Sendable private static func rate(_ text: String) throws -> Int { try Int(text) ?? quantity(text, .packets) }
    private static func quantity(_ text: String, _ quantity: Quantity) throws -> Int {
        do { return Int(clamping: try quantity.parse(text)) } catch { throw ValidationError("\(error)") }
    }

    private var params: CaptureParams {
        var params = CaptureParams(name: name)
        let text = expression.joined(separator: " ")
        (params.kind, params.expression, params.direction) = (kind, text.allSatisfy(\.isWhitespace) ? nil : text, direction)
        (params.before, params.dropped) = (before ? true : nil, dropped ? true : nil)
        (params.snaplen, params.count, params.seconds, params.rate) = (snaplen, count, seconds, rate)
        return params
    }

    func validate() throws {
        do { try params.check() } catch { throw ValidationError(error.description) }
        if write == "-", connecting.json { throw ValidationError("with -j, standard output is for how the capture has ended: write the frames to a file with -w FILE") }
        if write == "-", isatty(STDOUT_FILENO) != 0 {
            throw ValidationError("a capture is no text for a terminal: write it to a file with -w FILE, or to a reader with | tshark -r -")
        }
    }

    func run() throws {
        try reporting {
            // A reader that ends early is no failure.
            signal(SIGPIPE, SIG_IGN)
            var output = write == "-" ? STDOUT_FILENO : -1
            defer { if output > STDOUT_FILENO { close(output) } }
            let file = write
            do {
                let end = try connecting.client.capture(params) { reply in
                    Output.error("capturing \(reply.what)\(write == "-" ? "" : " to \(write)")\(seconds == nil && count == nil ? "; Ctrl-C ends it" : "")")
                } _: { bytes in
                    // A capture that is refused leaves the file as it was.
                    if output < 0 { output = try Self.opened(file) }
                    try Self.write(bytes, to: output, file)
                }
                if connecting.json { Output.print(try Output.json(end)) } else { Self.tell(end) }
                if let reason = end.reason { throw Failure("the capture has ended, as \(reason)") }
            } catch is ReaderGone {
                return
            }
        }
    }

    private struct ReaderGone: Error {}

    private static func opened(_ path: String) throws -> CInt {
        // Frames may have secrets in them.
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Failure("\(path) cannot be written: \(String(cString: strerror(errno)))") }
        return descriptor
    }

    private static func write(_ bytes: UnsafeRawBufferPointer, to output: CInt, _ path: String) throws {
        var rest = bytes
        while !rest.isEmpty {
            let count = Glibc.write(output, rest.baseAddress, rest.count)
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EPIPE { throw ReaderGone() }
            guard count > 0 else { throw Failure("\(path == "-" ? "standard output" : path) cannot be written: \(String(cString: strerror(errno)))") }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    private static func tell(_ end: CaptureEnd.Params) {
        func frames(_ count: UInt64) -> String { "\(count) frame\(count == 1 ? "" : "s")" }
        Output.error("\(frames(end.frames)) captured")
        for loss in end.lost { Output.error("\(frames(loss.frames)) \(loss.frames == 1 ? "was" : "were") not captured because \(loss.reason)") }
    }
}

extension CaptureParams.Kind: ExpressibleByArgument {}
extension CaptureParams.Direction: ExpressibleByArgument {}
