import ArgumentParser
import Foundation

extension LibvirtCommand {
    struct Install: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Put libvirt's hook in place: a script that calls sluice libvirt hook.",
            discussion: "Hooks of others stay as they are. It may be done again, to change the options.")
        @OptionGroup var target: LibvirtTarget
        @Flag(help: "Keep domains from starting whose ports or guarantees cannot be had.") var strict = false
        @Flag(help: "Also answer what libvirt asks ovs-vsctl, from /usr/local/bin: virsh domifstat then counts vhostuser interfaces.") var statistics = false
        @Option(help: "Folder that stands for / (for packages).") var root: String?
        @Option(help: "Path of sluice on the host; by default this very program or, with --root, /usr/bin/sluice.") var program: String?

        func run() throws {
            try reporting {
                let hook = HookScript(root: root ?? "")
                let program = try program ?? (root == nil ? HookScript.ownPath() : "/usr/bin/sluice")
                Output.print("\(try hook.install(program: program, options: options)) is in place")
                if statistics {
                    Output.print("\(try hook.installStatistics(program: program, options: target.socket.map { ["--socket", $0] } ?? [])) is in place")
                }
                if root == nil {
                    Output.print("libvirt looks for hooks when it starts: if this is its first one, restart it (systemctl restart libvirtd); domains run on")
                }
            }
        }

        private var options: [String] {
            (strict ? ["--strict"] : []) + (target.socket.map { ["--socket", $0] } ?? []) + (target.bridge.map { ["--bridge", $0] } ?? [])
        }
    }

    struct Uninstall: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Take libvirt's hook away again. Ports and guests of domains that run stay.")
        @Option(help: "Folder that stands for / (for packages).") var root: String?
        func run() throws {
            try reporting {
                let paths = try HookScript(root: root ?? "").uninstall()
                Output.print(paths.isEmpty ? "no hook of sluice's is there" : paths.map { "\($0) is removed" }.joined(separator: "\n"))
            }
        }
    }
}

/// The script that libvirt calls as its hook.
private struct HookScript {
    /// The folder that stands for `/`; empty for the host's own root.
    let root: String

    private static let mark = "# Written by `sluice libvirt install`, which writes it anew; `sluice libvirt uninstall` removes it."

    private var folder: String { "\(root)/etc/libvirt/hooks" }
    /// The path of the single hook, which is the only one that libvirt before 6.5 calls.
    private var single: String { "\(folder)/qemu" }
    private var ours: String { "\(folder)/qemu.d/50-sluice" }
    /// Where libvirt finds it before Open vSwitch's own, as services look for programs in /usr/local/bin first.
    private var statistics: String { "\(root)/usr/local/bin/ovs-vsctl" }

    static func ownPath() throws -> String {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
        let count = readlink("/proc/self/exe", &buffer, Int(PATH_MAX))
        guard count > 0 else { throw Failure("the path of this program is not known: give it with --program") }
        return String(decoding: buffer[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// Writes the script and makes it executable.
    /// - Returns: the path of the script.
    func install(program: String, options: [String]) throws -> String {
        guard !root.isEmpty || access("/etc/libvirt", F_OK) == 0 else {
            throw Failure("libvirt is not installed here, as there is no /etc/libvirt: install it first, or give --root for a package")
        }
        let path = root.isEmpty && Self.isBefore65() ? single : ours
        if isOthers(path) {
            throw Failure("\(path) is there and not sluice's: add `\(([program, "libvirt", "hook"] + options).joined(separator: " ")) -- \"$@\"` to it, or move it away")
        }
        try put(Self.script(program, options), at: path)
        // A script in the single hook's place is left from an earlier version of libvirt and would be called as well.
        if path == ours, isOurs(single) { unlink(single) }
        return path
    }

    /// Writes the script that libvirt calls as `ovs-vsctl`. Whatever else is asked, Open vSwitch's own program answers, if there is one.
    /// - Returns: the path of the script.
    func installStatistics(program: String, options: [String]) throws -> String {
        if isOthers(statistics) { throw Failure("\(statistics) is there and not sluice's: move it away, or leave --statistics out") }
        let call = Self.quoted([program, "libvirt", "ovs-vsctl"] + options)
        let others = "[ -x /usr/bin/ovs-vsctl ] && exec /usr/bin/ovs-vsctl \"$@\"\nexit 1\n"
        try put("#!/bin/sh\n\(Self.mark)\n\(call) -- \"$@\" 2>/dev/null && exit 0\n\(others)", at: statistics)
        return statistics
    }

    /// Writes a script with its folders.
    private func put(_ text: String, at path: String) throws {
        var made = ""
        for name in (path as NSString).deletingLastPathComponent.split(separator: "/") {
            made += "/\(name)"
            guard mkdir(made, 0o755) == 0 || errno == EEXIST else { throw Failure("\(made) cannot be made: \(String(cString: strerror(errno)))") }
        }
        // libvirt calls every executable file in the folder. The new file becomes executable only when it is complete, and then replaces the old one.
        let temporary = "\(path).\(getpid())"
        guard FileManager.default.createFile(atPath: temporary, contents: Data(text.utf8)), chmod(temporary, 0o755) == 0,
            rename(temporary, path) == 0
        else {
            let reason = String(cString: strerror(errno))
            unlink(temporary)
            throw Failure("\(path) cannot be written: \(reason)")
        }
    }

    /// Removes the script in whichever place it is, but no hook of others.
    /// - Returns: the paths that were removed.
    func uninstall() throws -> [String] {
        try [ours, single, statistics].filter { path in
            guard isOurs(path) else { return false }
            guard unlink(path) == 0 else { throw Failure("\(path) cannot be removed: \(String(cString: strerror(errno)))") }
            return true
        }
    }

    private func isOthers(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) && !isOurs(path) }

    private func isOurs(_ path: String) -> Bool {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self).split(separator: "\n").prefix(2).contains(Self.mark[...]) } ?? false
    }

    /// The text of the script. With `--strict` it passes on the exit status of sluice at operations before a domain starts. At all others it always succeeds,
    /// because after a failure at `reconnect` libvirt would kill the running domain. It prints nothing on standard output, because at `migrate` and `restore`
    /// libvirt would take that for the domain's XML.
    private static func script(_ program: String, _ options: [String]) -> String {
        let call = quoted([program, "libvirt", "hook"] + options) + " -- \"$@\" >&2"
        let refusing = options.contains("--strict") ? "case \"$2\" in prepare|start|migrate|restore) exec \(call);; esac\n" : ""
        return "#!/bin/sh\n\(mark)\n\(refusing)\(call)\nexit 0\n"
    }

    /// Words for a shell.
    private static func quoted(_ words: [String]) -> String { words.map { "'\($0.replacing("'", with: "'\\''"))'" }.joined(separator: " ") }

    /// Whether the installed libvirt is known to be older than 6.5, which has no folder for several hooks.
    private static func isBefore65() -> Bool {
        for command in ["libvirtd", "virtqemud", "virsh"] {
            guard let pipe = popen("PATH=$PATH:/usr/sbin:/sbin \(command) --version 2>/dev/null", "r") else { continue }
            var line = [CChar](repeating: 0, count: 256)
            let isRead = fgets(&line, CInt(line.count), pipe) != nil
            pclose(pipe)
            let text = String(decoding: line.prefix { $0 != 0 && $0 != 10 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            guard isRead, let version = text.split(separator: " ").last else { continue }
            let numbers = version.split(separator: ".").compactMap { Int($0) }
            guard numbers.count >= 2 else { continue }
            return (numbers[0], numbers[1]) < (6, 5)
        }
        return false
    }
}
