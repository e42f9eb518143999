import Foundation
import Testing

/// Checks the project's own rules by reading the sources and the binaries.
@Suite("Architecture")
struct ArchitectureTests {
    /// What each module may import besides the standard library: only modules of the layers below its own.
    static let allowed: [(module: String, imports: Set<String>)] = [
        ("Packet", []),
        // The scheduler gets zeroed pages for its tables from the kernel through Glibc.
        ("Scheduler", ["Packet", "Glibc"]),
        ("Bridge", ["Packet"]),
        ("DCB", ["Packet"]),
        ("LinkProtocols", ["Packet"]),
        ("SFlow", []),
        // Glibc is needed to load libpcap at run time.
        ("Filters", ["Glibc"]),
        ("Configuration", ["Filters", "Packet", "Yams", "CYaml"]),
        ("Libvirt", ["Configuration", "Packet"]),
        ("BridgeImport", ["Configuration", "Filters", "Libvirt", "Packet"]),
        // Glibc is needed to read /proc and /sys.
        ("Doctor", ["Configuration", "Glibc"]),
        ("ControlAPI", ["Configuration", "Packet", "Foundation"]),
        ("Metrics", []),
        ("Diagnosis", ["ControlAPI", "Configuration", "Packet"]),
        ("NUMA", ["CNUMA", "Glibc"]),
        ("Netlink", ["CNetlink", "Packet", "Glibc"]),
        ("VhostUser", []),
        ("VhostSessions", ["VhostUser", "CLinux", "Glibc"]),
        (
            "DataPlane",
            [
                "DPDKShim", "Netlink", "NUMA", "Packet", "Scheduler", "Bridge", "DCB", "LinkProtocols", "Configuration", "Filters", "VhostSessions", "VhostUser",
                "Glibc",
            ]
        ),
        (
            "ControlPlane",
            [
                "DataPlane", "ControlAPI", "Configuration", "DCB", "LinkProtocols", "Metrics", "Packet", "SFlow", "Scheduler", "Foundation", "Glibc", "NIOCore", "NIOPosix",
                "NIOHTTP1", "NIOFoundationCompat", "Logging", "Dispatch",
            ]
        ),
        ("sluiced", ["ControlPlane", "ControlAPI", "Configuration", "Foundation", "Glibc", "ArgumentParser", "Logging", "Dispatch"]),
        ("sluice", ["ControlAPI", "Configuration", "Diagnosis", "Doctor", "Libvirt", "BridgeImport", "Netlink", "Filters", "Packet", "Foundation", "Glibc", "ArgumentParser"]),
    ]
    /// Modules of the toolchain itself, which every module may import.
    static let standard: Set<String> = ["Swift", "Synchronization", "Builtin"]

    @Test("modules import downward only: pure ones neither DPDK nor Foundation", arguments: allowed.map(\.module))
    func imports(_ module: String) throws {
        let permitted = try #require(Self.allowed.first { $0.module == module }).imports.union(Self.standard)
        let files = try #require(FileManager.default.enumerator(atPath: "\(Build.repository)/Sources/\(module)"))
        var count = 0
        for case let file as String in files where file.hasSuffix(".swift") {
            count += 1
            let text = try String(contentsOfFile: "\(Build.repository)/Sources/\(module)/\(file)", encoding: .utf8)
            for name in Self.importedModules(text) where !permitted.contains(name) {
                Issue.record("\(module)/\(file) imports \(name)")
            }
        }
        #expect(count > 0)
    }

    /// The modules that a source imports by `import X`, `@attribute public import struct X.Y`, and so on.
    static func importedModules(_ text: String) -> [String] {
        let access = ["public", "package", "internal", "private", "fileprivate"]
        let kinds = ["struct", "class", "enum", "func", "var", "let", "typealias", "protocol"]
        return text.split(separator: "\n").compactMap { line in
            var words = line.split(separator: " ")[...]
            while let word = words.first, word.hasPrefix("@") || access.contains(String(word)) { words.removeFirst() }
            guard words.popFirst() == "import" else { return nil }
            if let kind = words.first, kinds.contains(String(kind)) { words.removeFirst() }
            return words.first?.split(separator: ".").first.map(String.init)
        }
    }

    @Test("the reader of imports sees through attributes and kinds")
    func readerOfImports() {
        #expect(Self.importedModules("import A\n@_exported public import struct B.C\n// import D\nlet x = 1\n  import E\n") == ["A", "B", "E"])
    }

    @Test("`sluice` links no DPDK: neither itself nor through a library")
    func commandLineLinksNoDPDK() throws {
        let program = Build.program("sluice")
        let libraries = try run("ldd", program)
        #expect(libraries.contains("libc.so"))
        #expect(!libraries.contains("librte_"))
        #expect(try !run("readelf", "-d", program).contains("librte_"))
    }

    @Test("nothing reachable from the poll loop allocates, counts references or locks, as the machine code has it")
    func hotPath() throws {
        let result = try finish(["\(Build.repository)/scripts/lab/scan-hot-path", Build.program("sluiced")], within: 120)
        #expect(result.status == 0, "\(result.output)\(result.errors)")
        print(result.output)
    }

    @Test("the scan of the machine code finds what it looks for")
    func scanFinds() throws {
        // The start-up of the daemon does allocate, so scanning it must fail.
        let result = try finish(["\(Build.repository)/scripts/lab/scan-hot-path", Build.program("sluiced"), "main"], within: 120)
        #expect(result.status == 1, "\(result.output)\(result.errors)")
    }

    @Test("small files: a reader finds the packet's way from their names")
    func fileSizes() throws {
        let files = try #require(FileManager.default.enumerator(atPath: "\(Build.repository)/Sources"))
        for case let file as String in files where file.hasSuffix(".swift") {
            let text = try String(contentsOfFile: "\(Build.repository)/Sources/\(file)", encoding: .utf8)
            let lines = text.split(separator: "\n", omittingEmptySubsequences: false).count
            #expect(lines <= 450, "\(file) has \(lines) lines")
        }
    }
}
