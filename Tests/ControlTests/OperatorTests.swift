import ControlAPI
import Foundation
import Testing

/// The command line as somebody meets it who does not know it by heart.
@Suite struct OperatorTests {
    @Test("a verb with a typing error is told from a name that there is not")
    func verbs() throws {
        let daemon = try CannedDaemon()
        let run = try sluice("port", "shwo", socket: daemon.path)
        #expect(run == Run(
            status: 1, output: "",
            errors: "no port 'shwo'; there are vm1, uplink\nnor is 'shwo' a verb of port; did you mean 'show'? (there are show, add, set, reset, del)\n"))
        // Behind the verb, it can only be a name.
        #expect(try sluice("port", "show", "shwo", socket: daemon.path).errors == "no port 'shwo'; there are vm1, uplink\n")
        #expect(try sluice("-j", "port", "shwo", socket: daemon.path).errors.contains("nor is 'shwo' a verb of port"))
        #expect(try sluice("port", "sett", "vm1", "mtu", "9000").errors.hasPrefix("sluice: port has no verb 'sett'; did you mean 'set'? (there are show, add, set, reset, del)"))
        #expect(try sluice("prot", "show").errors.hasPrefix("sluice: there is no 'prot'; did you mean 'port'? (there are port, bridge"))
    }

    @Test("the socket may be named before the verb and behind it, in one word or in two")
    func sockets() throws {
        let daemon = try CannedDaemon(), wanted = try sluice("port", "show", socket: daemon.path)
        #expect(wanted.status == 0)
        for words in [["-s", daemon.path], ["-s=\(daemon.path)"], ["--socket", daemon.path], ["--socket=\(daemon.path)"], ["--timeout=5s", "--socket=\(daemon.path)"]] {
            #expect(try sluice(words + ["port", "show"]) == wanted, "\(words)")
            #expect(try sluice(["port", "show"] + words) == wanted, "\(words)")
            #expect(try sluice(["port"] + words) == wanted, "\(words)")
        }
        #expect(try sluice("--socket=\(daemon.path)", "bridge", "set", "br0", "ageing", "60s").output == "~ bridge br0 ageing default -> 60s\n")
        let long = "/" + String(repeating: "x", count: 119)
        let run = try sluice("-s", long, "status")
        #expect(run.status == 1 && run.errors.hasPrefix("the socket's path has 120 bytes, and the system takes 107 at most: name a shorter one"), "\(run)")
        #expect(try sluice("-s", "", "status").errors.hasPrefix("the socket's path is empty: name the daemon's socket with -s or SLUICE_SOCKET"))
    }

    @Test("shells complete files where files are named, and names of the daemon that -s names")
    func completions() throws {
        let script = try sluice("--generate-completion-script", "bash").output
        func function(_ name: String) -> String { script.components(separatedBy: "\n_sluice_\(name)() {").dropFirst().first?.components(separatedBy: "\n}\n").first ?? "" }
        for name in ["check", "apply", "diff", "part_set", "doctor"] { #expect(function(name).contains("yaml"), "\(name)") }
        #expect(function("port_show").contains("'--socket'|'-s')\n        __sluice_add_completions -f\n"))
        let daemon = try CannedDaemon()
        func completed(_ words: String...) throws -> [Substring] {
            try sluice(["---completion", "port", "show", "--", "positional@0", "\(words.count)", "0"] + words + [""]).output.split(separator: "\n")
        }
        #expect(try completed("sluice", "port", "show", "-s", daemon.path) == ["uplink", "vm1"])
        #expect(try completed("sluice", "port", "show", "--socket=\(daemon.path)") == ["uplink", "vm1"])
        #expect(try completed("sluice", "port", "show", "-s", daemon.path, "vm1") == [])
    }

    @Test("what is refused of a port's dcb says what to type")
    func dcb() throws {
        let daemon = try CannedDaemon()
        _ = try sluice("port", "add", "up", "type", "physical", "bridge", "br0", "device", "eth1", socket: daemon.path)
        let run = try sluice("dcb", "ets", "set", "tc-tsa", "0:ets", "1:ets", "tc-bw", "0:60", "1:30", "port", "up", socket: daemon.path)
        #expect(run.status == 1 && run.errors.contains("write tc-tsa 0:ets 1:ets tc-bw 0:60 1:40"), "\(run)")
        #expect(try sluice("dcb", "ets", "set", "tc-tsa", "0:ets", "1:ets", "tc-bw", "0:60", "1:40", "port", "up", socket: daemon.path).status == 0)
        let vlan = try sluice("port", "set", "up", "vlan", "native", "1", socket: daemon.path)
        #expect(vlan.status == 1 && vlan.errors.contains("in a command, vlan 10, vlan trunk 10,20-29 native 1 or vlan service 100"), "\(vlan)")
    }
}
