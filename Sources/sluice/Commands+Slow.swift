import ArgumentParser
import Configuration
import ControlAPI
import Diagnosis
import Foundation

struct SlowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "slow", abstract: "What holds a guest back, the heaviest first: slow vm1",
        discussion: "It looks at the counters twice and compares, so run it while the guest is slow. Weights are from 0 to 1.")
    @OptionGroup var connecting: Connecting
    @Argument(help: "A guest's name.", completion: .guests) var guest: String
    @Option(help: "Time between the two looks, 100ms to 1h (default: 2s).") var interval: String?

    func validate() throws { _ = try seconds() }

    private func seconds() throws -> Double {
        guard let interval else { return 2 }
        let time: UInt64
        do { time = try Quantity.time.parse(interval) } catch { throw ValidationError("--interval: \(error.description)") }
        guard 100...3_600_000 ~= time else { throw ValidationError("--interval takes 100ms to 1h, not \(interval)") }
        return Double(time) / 1_000
    }

    func run() throws {
        try reporting {
            let client = connecting.client
            // A name that is wrong is told before anything is measured.
            _ = try client.call(Methods.guestShow, NameParams(name: guest))
            let before = try client.sample()
            Thread.sleep(forTimeInterval: try seconds())
            guard let causes = Slow.causes(of: guest, before, try client.sample()) else { throw Failure("guest \(guest) was removed meanwhile") }
            Output.print(connecting.json ? try Output.json(causes) : Tables.causes(causes))
        }
    }
}

extension Tables {
    package static func causes(_ causes: [Cause]) -> String {
        causes.map { cause in
            let hundredths = Int((cause.weight * 100).rounded()), head = "\(hundredths / 100).\(hundredths / 10 % 10)\(hundredths % 10)"
            let direction = cause.direction.map { " \($0):" } ?? ""
            return "\(head)\(direction) \(cause.sentence)" + (cause.advice.map { "\n     \($0)" } ?? "")
        }.joined(separator: "\n")
    }
}
