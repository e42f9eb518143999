import Foundation
import MachineCode
import Stepping

/// The programs and libraries that a process has loaded.
struct LoadedCode {
    private struct Mapping {
        let addresses: Range<UInt64>
        let offset: UInt64
        let isCode: Bool
        let file: String

        var name: String { file.isEmpty ? "anonymous memory" : URL(fileURLWithPath: file).lastPathComponent }
    }

    private let mappings: [Mapping]
    /// The instructions, by their addresses, each with the address of the next one.
    private var instructions: [UInt64: (Instruction, next: UInt64)] = [:]

    init(of process: pid_t) throws {
        // The file is read to its end, because the kernel delivers such a file in pieces and reports its size as 0.
        guard let text = try FileHandle(forReadingFrom: URL(fileURLWithPath: "/proc/\(process)/maps")).readToEnd() else { throw Failure("process \(process) is gone") }
        mappings = String(decoding: text, as: UTF8.self).split(separator: "\n").compactMap { line in
            // A line looks like this: 7f00-7f01 r-xp 00001000 08:01 1234    /usr/lib/x.so
            let words = line.split(separator: " ", maxSplits: 5, omittingEmptySubsequences: true)
            guard words.count >= 5 else { return nil }
            let ends = words[0].split(separator: "-").compactMap { UInt64($0, radix: 16) }
            guard ends.count == 2, let offset = UInt64(words[2], radix: 16) else { return nil }
            return Mapping(
                addresses: ends[0]..<ends[1], offset: offset, isCode: words[1].contains("x"),
                file: words.count == 6 ? words[5].trimmingCharacters(in: .whitespaces) : "")
        }
    }

    private func mapping(_ address: UInt64) -> Mapping? { mappings.first { $0.addresses.contains(address) } }

    /// An address in readable form, such as `librte_ring.so.23.0+0x30c0`.
    private func place(address: UInt64) -> String {
        guard let mapping = mapping(address) else { return "0x\(String(address, radix: 16))" }
        return "\(mapping.name)+0x\(String(address - mapping.addresses.lowerBound + mapping.offset, radix: 16))"
    }

    func place(_ line: UInt64) -> String {
        let address = line * LineUse.lineSize
        return "0x\(String(address, radix: 16)) (\(place(address: address)))"
    }

    func words(_ use: LineUse, _ line: UInt64) -> String {
        guard let use = use.lines[line] else { return "does not touch it" }
        return "\(use.writes > 0 ? "writes" : "reads") it at \(place(address: use.instruction))"
    }

    /// The cache lines that threads accessed which executed these instructions.
    mutating func uses(of traces: [[step_registers]]) throws -> [LineUse] {
        try disassemble(Set(traces.joined().map(\.instruction)))
        return try traces.map(use)
    }

    private func use(of trace: [step_registers]) throws -> LineUse {
        var use = LineUse()
        for registers in trace {
            guard let (instruction, next) = instructions[registers.instruction] else {
                // The kernel's own code in the process (vdso) has no file. It reads the clock.
                guard mapping(registers.instruction)?.name == "[vdso]" else {
                    throw Failure("what the instruction at \(place(address: registers.instruction)) does is not known")
                }
                continue
            }
            for access in instruction.accesses {
                let address = withUnsafeBytes(of: registers.general) { general in
                    access.operand.address(next: next, threadBlock: registers.fs_base) {
                        general.loadUnaligned(fromByteOffset: $0 * MemoryLayout<UInt64>.stride, as: UInt64.self)
                    }
                }
                use.note(address, bytes: instruction.bytes, writes: access.writes, by: registers.instruction)
            }
        }
        return use
    }

    private mutating func disassemble(_ addresses: Set<UInt64>) throws {
        let files = Dictionary(grouping: addresses) { mapping($0)?.addresses.lowerBound ?? 0 }
        for (begin, addresses) in files {
            guard let mapping = mapping(begin), mapping.isCode, mapping.file.hasPrefix("/") else { continue }
            // objdump counts from the address at which the file says that the mapping begins.
            let home = try Self.home(of: mapping.offset, in: mapping.file)
            let wanted = Set(addresses.map { $0 - begin + home })
            guard let first = wanted.min(), let last = wanted.max() else { continue }
            var before: Instruction?
            // The range extends beyond the last instruction, so that its end can be seen; no instruction is longer than 15 bytes.
            try Self.eachLine(of: "objdump", [
                "-d", "--no-show-raw-insn", "--start-address=\(first)", "--stop-address=\(last + 32)", mapping.file,
            ]) { line in
                guard let place = Instruction.place(of: line) else { return }
                if let before { instructions[before.place - home + begin] = (before, next: place - home + begin) }
                before = wanted.contains(place) ? Instruction(line) : nil
            }
        }
    }

    /// The address that the program headers of a file give for the part that begins at `offset`.
    private static func home(of offset: UInt64, in file: String) throws -> UInt64 {
        var home = offset
        try eachLine(of: "readelf", ["-lW", file]) { line in
            let words = line.split(separator: " ")
            guard words.first == "LOAD", words.count >= 6 else { return }
            let numbers = words[1...5].compactMap { UInt64($0.dropFirst(2), radix: 16) }
            // These are the offset, the address, the physical address and the number of bytes in the file. Pages are always mapped as a whole.
            guard numbers.count == 5, (numbers[0] & ~4_095..<numbers[0] + numbers[3]).contains(offset) else { return }
            home = numbers[1] + offset &- numbers[0]
        }
        return home
    }

    private static func eachLine(of program: String, _ arguments: [String], _ body: (Substring) -> Void) throws {
        let process = Process(), output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [program] + arguments
        process.standardOutput = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Failure("`\(program) \(arguments.joined(separator: " "))` failed; `apt-get install binutils` brings it") }
        for line in text.split(separator: "\n") { body(line) }
    }
}
