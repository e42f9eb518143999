import Filters
import Glibc

/// Rules of a filter, one on each line, and behind a line `=` frames in hexadecimal.
///
/// What rules do together, as native code, is what libpcap's own interpreter does with one after the other, and nothing behind a frame is read.
func fuzzFilters(_ bytes: [UInt8]) {
    let lines = bytes.split(separator: 0x0a)
    let end = lines.firstIndex { $0.elementsEqual("=".utf8) } ?? lines.endIndex
    var programs: [PacketProgram] = []
    for line in lines[..<end].prefix(8) {
        // A configuration has no NUL in its texts that libpcap, which takes a C string, would see.
        guard line.count <= 200, !line.contains(0), let text = String(validating: line, as: UTF8.self) else { continue }
        do throws(PacketExpression.Fault) {
            programs.append(try PacketExpression.program(of: text))
        } catch { check(sentence: error.description) }
    }
    guard !programs.isEmpty else { return }
    let runs = JoinedProgram.runs(of: programs)
    claim(runs.first?.programs.lowerBound == 0 && runs.last?.programs.upperBound == programs.count, "the runs have all programs")
    for line in lines[end...].dropFirst().prefix(8) {
        let frame = octets(hex: line)
        guard frame.count >= 14 else { continue }
        for run in runs {
            guard let joined = run.joined else { continue }
            let expected = run.programs.firstIndex { interpreter(programs[$0].instructions, frame + [0], UInt32(frame.count), UInt32(frame.count)) != 0 }
            let found = code.run(joined.code, on: memory.place(frame), frame.count)
            let place = expected.map { $0 - run.programs.lowerBound } ?? run.programs.count
            claim(Int(found) == place, "rules do together what they do alone: \(found), not \(place)")
        }
    }
}

private let interpreter = unsafeBitCast(
    dlsym(dlopen("libpcap.so.0.8", RTLD_NOW), "bpf_filter"), to: (@convention(c) (UnsafePointer<UInt64>, UnsafePointer<UInt8>, UInt32, UInt32) -> UInt32).self)

nonisolated(unsafe) private let memory = GuardedMemory()
nonisolated(unsafe) private let code = NativeCode()

/// Memory for the native code of one function.
private final class NativeCode {
    private let base: UnsafeMutableRawPointer
    private let size = 4 << 20

    init() {
        base = mmap(nil, size, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        precondition(base != MAP_FAILED)
    }

    func run(_ code: [UInt8], on frame: UnsafeRawPointer, _ length: Int) -> UInt64 {
        precondition(code.count <= size)
        base.copyMemory(from: code, byteCount: code.count)
        return unsafeBitCast(base, to: (@convention(c) (UnsafeRawPointer, UInt64) -> UInt64).self)(frame, UInt64(length))
    }
}
