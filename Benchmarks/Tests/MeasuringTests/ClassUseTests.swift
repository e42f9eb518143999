import Foundation
import Measuring
import Testing

@Suite struct ClassUseTests {
    private func row(_ leaf: Bool, sent: Int, borrowed: Int, overlimits: Int, dropped: Int = 0) -> String {
        """
        {"leaf": \(leaf), "sent": {"frames": 1, "bytes": \(sent)}, "dropped": {"frames": \(dropped), "bytes": 0}, "borrowed_bytes": \(borrowed), \
        "overlimits": \(overlimits)}
        """
    }

    /// Inner classes, and leaves without traffic, do not show whether there was shaping.
    @Test func countsLeavesThatBorrowAndWait() throws {
        let rows = [
            row(false, sent: 900, borrowed: 0, overlimits: 9), row(true, sent: 400, borrowed: 300, overlimits: 1), row(true, sent: 400, borrowed: 99, overlimits: 2),
            row(true, sent: 200, borrowed: 101, overlimits: 0, dropped: 3), row(true, sent: 0, borrowed: 0, overlimits: 0),
        ]
        let use = try ClassUse(json: Data("[\(rows.joined(separator: ","))]".utf8))
        #expect(use.leaves == 3 && use.borrowed == 2 && use.waited == 2 && use.droppedFrames == 3)
        #expect(use.sentBytes == 1_000 && use.borrowedBytes == 500)
        #expect(use.sentence.hasPrefix("of 3 classes 2 had frames waiting") && use.sentence.contains("50 %") && use.sentence.hasSuffix("3 frames dropped"))
    }

    /// The rate that the shell computes must be the one that results are compared with, including its limits.
    @Test func linkFollowsTheOtherSwitch() throws {
        let link = ShapedLink(share: 0.9, nominal: 1_000_000)
        #expect(link.rate(1_000_000) == 900_000 && link.rate(10) == 500_000 && link.rate(9_000_000) == 1_800_000)
        for rate in [10, 1_000_000, 9_000_000] {
            let shell = Process(), output = Pipe()
            shell.executableURL = URL(fileURLWithPath: "/bin/sh")
            shell.arguments = ["-c", "RATE=\(rate); \(link.command(bytes: 60)); echo $bits"]
            shell.standardOutput = output
            try shell.run()
            shell.waitUntilExit()
            let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
            #expect(Double(text.dropLast()) == link.rate(Double(rate)) * 480)
        }
    }
}
