import ArgumentParser
import Foundation
import Measuring
import Spinner

/// Runs a thread without any switch, to find out what a CPU does by itself and what it does to the loop on the next CPU.
struct Spin: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Keep a CPU busy, and measure when told to on standard input.", shouldDisplay: false)

    @Option(help: "The CPU.")
    var cpu: Int
    @Option(help: "Bytes of its own to work in, a power of two; 0: registers alone.")
    var memory = 0

    func run() throws {
        let result = spinner_start(CInt(cpu), memory)
        guard result == 0 else { throw Failure("spinning on CPU \(cpu) failed: \(String(cString: strerror(-result)))") }
        try Dialogue.answer { seconds in
            let before = spinner_read()
            Thread.sleep(forTimeInterval: seconds)
            let after = spinner_read()
            let passed = Double(after.nanoseconds - before.nanoseconds) / 1e9
            return Turn(rate: Double(after.blocks - before.blocks) / passed, disturbed: Double(after.lost - before.lost) / 1e9 / passed)
        }
    }
}
