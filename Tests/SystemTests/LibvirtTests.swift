import Foundation
import Testing

extension EndToEnd {
    /// The hook is called by the tests in the way in which libvirt calls it.
    @Suite("libvirt's hook", .needs(.hugepages))
    struct LibvirtTests {
        private func configuration(_ lab: Lab) -> String {
            """
            bridges: [{name: br0, rate: 10gbit}]
            ports: [{name: host, type: tap, bridge: br0, interface: \(lab.tag)h}]
            """
        }

        /// The XML of a domain with one vhostuser interface, and one interface that Sluice does not serve.
        private func domain(_ lab: Lab, _ name: String = "web", floor: String = "1gbit", inner: String = "") -> String {
            """
            <domain type='kvm' id='3'>
              <name>\(name)</name>
              <uuid>c7a5fdbd-edaf-9455-926a-d65c16db1809</uuid>
              <metadata>
                <sluice:domain xmlns:sluice='urn:sluice:libvirt:1'>
                  <interface mac='52:54:00:00:00:51' name='\(name)'><inbound floor='\(floor)'/></interface>
                </sluice:domain>
              </metadata>
              <devices>
                <interface type='network'><mac address='52:54:00:00:00:52'/><source network='default'/></interface>
                <interface type='vhostuser'>
                  <mac address='52:54:00:00:00:51'/>
                  <source type='unix' path='\(lab.path(name))' mode='client'/>
                  <bandwidth><inbound average='250000'/><outbound average='125000'/></bandwidth>
                  <model type='virtio'/>\(inner)
                </interface>
              </devices>
            </domain>
            """
        }

        private func hook(_ socket: String, _ words: [String], _ xml: String, options: [String] = []) throws -> Finished {
            let child = try ChildProcess(
                [Build.program("sluice"), "libvirt", "hook"] + options + ["--"] + words, environment: ["SLUICE_SOCKET": socket], keepsInput: true)
            defer { child.stop() }
            try? child.write(xml)
            child.closeInput()
            let exit = try #require(child.waitForExit(until: .after(30)), "the hook did not end")
            _ = child.output.waitForEnd(until: .after(5))
            _ = child.errors.waitForEnd(until: .after(5))
            guard case .code(let status) = exit else { throw LabError("the hook ended by \(exit): \(child.errors.text)") }
            return Finished(status: status, output: child.output.text, errors: child.errors.text, seconds: 0)
        }

        /// Calls the hook and expects it to succeed without printing anything.
        private func call(_ daemon: Daemon, _ words: String, _ xml: String) throws {
            let result = try hook(daemon.socket, words.split(separator: " ").map(String.init), xml, options: ["--strict"])
            #expect(result.status == 0 && result.output.isEmpty && result.errors.isEmpty, "\(words): \(result)")
        }

        private func parts(_ daemon: Daemon) throws -> [String] { try daemon.show("part", "show").items.compactMap { $0["name"].string } }

        @Test("a domain's ports and guests come with it, change with it, outlive the daemon and go with it", arguments: [true, false])
        func life(isConfigured: Bool) throws {
            try withLab { lab in
                let daemon = try Daemon(lab, configuration(lab))
                if !isConfigured { try daemon.crashAndRestart(isConfigured: false) }
                try call(daemon, "web prepare begin -", domain(lab))
                #expect(FileManager.default.fileExists(atPath: lab.path("web")), "QEMU finds the socket")
                #expect(try daemon.port("web")["state"].string == "waiting")
                let guest = try daemon.classStatus("br0", "web")
                #expect(guest["floor"].int == 1_000_000_000 && guest["ceiling"].int == 2_000_000_000)
                let id = guest["id"].int
                try call(daemon, "web start begin -", domain(lab))
                try call(daemon, "web started begin -", domain(lab))

                // A change of the metadata reaches the daemon with the next call, and the port and its class stay the same.
                try call(daemon, "web reconnect begin -", domain(lab, floor: "1500mbit"))
                #expect(try daemon.classStatus("br0", "web")["floor"].int == 1_500_000_000)
                #expect(try daemon.classStatus("br0", "web")["id"].int == id)

                // Applying the operator's file neither removes nor changes the part.
                let file = try lab.write("more.yaml", configuration(lab) + "\nguests: [{name: host, port: host, inbound: {floor: 100mbit}}]\n")
                let diff = try daemon.command("diff", file)
                #expect(diff.contains("+ guest host") && !diff.contains("- ") && diff.contains("# part libvirt-web stays: port web, guest web"), "\(diff)")
                #expect(try !daemon.command("apply", file).contains("web"))
                let shown = try daemon.command("config", "show")
                #expect(shown.contains("# The part libvirt-web owns") && shown.contains("#   guests:"), "\(shown)")
                let again = try lab.write("again.yaml", shown)
                #expect(try daemon.command("apply", again) == "nothing to change\n")
                try #expect(daemon.command("status").contains(" parts 1"))
                let theirs = try lab.write("theirs.yaml", configuration(lab) + "\nguests: [{name: web, port: host}]\n")
                let refused = try daemon.sluice("apply", theirs)
                #expect(refused.status == 1 && refused.errors.contains("the guest web belongs to the part libvirt-web"), "\(refused.errors)")
                #expect(try daemon.sluice("port", "del", "web").errors.contains("belongs to the part libvirt-web"))

                // A single change holds until the hook sets the part again, over a restart too.
                try daemon.command("class", "set", "web", "dir", "inbound", "floor", "1200mbit")
                try daemon.crashAndRestart(isConfigured: isConfigured)
                #expect(try parts(daemon) == ["libvirt-web"])
                #expect(try daemon.port("web")["state"].string == "waiting")
                let after = try daemon.classStatus("br0", "web")
                #expect(after["floor"].int == 1_200_000_000)
                #expect(after["id"].int == id)
                try call(daemon, "web reconnect begin -", domain(lab, floor: "1500mbit"))
                #expect(try daemon.classStatus("br0", "web")["floor"].int == 1_500_000_000)

                try call(daemon, "web stopped end -", domain(lab))
                #expect(try parts(daemon).isEmpty && !FileManager.default.fileExists(atPath: lab.path("web")))
                try call(daemon, "web release end -", domain(lab))
                try daemon.crashAndRestart(isConfigured: isConfigured)
                #expect(try parts(daemon).isEmpty)
                #expect(try FileManager.default.contentsOfDirectory(atPath: lab.path("conf.d")).isEmpty)
                daemon.stop()
            }
        }

        @Test("what cannot be had is told, and keeps a domain from starting only where that was asked for; otherwise it has ports alone")
        func refusals() throws {
            try withLab { lab in
                let daemon = try Daemon(lab, configuration(lab))
                let words = ["web", "prepare", "begin", "-"], greedy = domain(lab, floor: "20gbit")
                for (options, status) in [(["--strict"], 1), ([], 0)] as [([String], Int32)] {
                    #expect(try parts(daemon).isEmpty)
                    let result = try hook(daemon.socket, words, greedy, options: options)
                    #expect(result.status == status && result.output.isEmpty && result.errors.hasPrefix("sluice libvirt hook web prepare begin -: "), "\(result)")
                    #expect(result.errors.contains("20gbit"), "\(result.errors)")
                }
                let bare = try daemon.classStatus("br0", "web")
                #expect(bare["floor"].int == nil && bare["ceiling"].int == 2_000_000_000, "\(bare)")
                // What has guarantees keeps them.
                try call(daemon, "web start begin -", domain(lab))
                #expect(try hook(daemon.socket, words, greedy).errors.contains("20gbit"))
                #expect(try daemon.classStatus("br0", "web")["floor"].int == 1_000_000_000)
                try call(daemon, "web stopped end -", domain(lab))
                #expect(try parts(daemon).isEmpty && !FileManager.default.fileExists(atPath: lab.path("web")))
                // Even with --strict, a call for a running domain never fails, because libvirt would kill the domain.
                #expect(try hook(daemon.socket, ["web", "reconnect", "begin", "-"], greedy, options: ["--strict"]).status == 0)
                #expect(try parts(daemon) == ["libvirt-web"])
                try call(daemon, "web stopped end -", domain(lab))
                // Before a migration the hook only checks whether the part could be set.
                #expect(try hook(daemon.socket, ["web", "migrate", "begin", "-"], greedy, options: ["--strict"]).status == 1)
                try call(daemon, "web migrate begin -", domain(lab))
                #expect(try parts(daemon).isEmpty)
                #expect(try hook(daemon.socket, ["web"], domain(lab)).status == 0)
                #expect(try hook(daemon.socket, words, "<domain><name>web</name> vhostuser", options: ["--strict"]).status == 1)
                let other = try hook(daemon.socket, ["other", "prepare", "begin", "-"], domain(lab), options: ["--strict"])
                #expect(other.status == 1 && other.errors.contains("is that of the domain web"), "\(other.errors)")
                // A domain's name may have characters that a part's name may not have.
                let odd = "my web_-\u{fc}"
                let xml = domain(lab, "web").replacing("<name>web</name>", with: "<name>\(odd)</name>")
                let result = try hook(daemon.socket, [odd, "prepare", "begin", "-"], xml, options: ["--strict"])
                #expect(result.status == 0, "\(result.errors)")
                #expect(try parts(daemon) == ["libvirt-my%20web_-%C3%BC"])
                daemon.stop()
            }
        }

        @Test("a daemon that is away or hangs holds up a domain for seconds at most, and one that has nothing to do with it not at all")
        func noDaemon() throws {
            try withLab { lab in
                let away = lab.path("away.sock")
                let plain = "<domain><name>web</name><devices><interface type='bridge'><mac address='52:54:00:00:00:52'/></interface></devices></domain>"
                for operation in ["prepare begin", "start begin", "started begin", "stopped end", "release end", "reconnect begin", "migrate begin", "unheard begin"] {
                    let words = ["web"] + operation.split(separator: " ").map(String.init) + ["-"]
                    let result = try hook(away, words, plain, options: ["--strict"])
                    #expect(result.status == 0 && result.errors.isEmpty && result.output.isEmpty, "\(operation): \(result)")
                    #expect(try hook(away, words, domain(lab)).status == 0)
                }
                let refused = try hook(away, ["web", "prepare", "begin", "-"], domain(lab), options: ["--strict"])
                #expect(refused.status == 1 && refused.errors.contains("no daemon answers on \(away)"), "\(refused)")

                // A stopped daemon accepts the connection but never answers.
                let daemon = try Daemon(lab, configuration(lab))
                daemon.process.signal(SIGSTOP)
                let hung = try hook(daemon.socket, ["web", "prepare", "begin", "-"], domain(lab), options: ["--timeout", "300ms"])
                #expect(hung.status == 0 && hung.errors.contains("within 0."), "\(hung)")
                daemon.process.signal(SIGCONT)
                daemon.stop()
            }
        }

        @Test("parts that cannot be read or do not fit are told, keep nothing else from running, and come once they fit")
        func unfit() throws {
            try withLab { lab in
                try FileManager.default.createDirectory(atPath: lab.path("conf.d"), withIntermediateDirectories: false)
                _ = try lab.write("conf.d/torn.yaml", "ports: [{name: x")
                _ = try lab.write("conf.d/late.yaml", "ports: [{name: late, type: vhost, bridge: br1, socket: \(lab.path("late"))}]\n")
                _ = try lab.write("conf.d/good.yaml", "ports: [{name: good, type: vhost, bridge: br0, socket: \(lab.path("good"))}]\n")
                let daemon = try Daemon(lab, configuration(lab))
                #expect(daemon.log.contains("conf.d/torn.yaml") && daemon.log.contains("the part late is not in use"), "\(daemon.log)")
                #expect(try daemon.port("good")["state"].string == "waiting")
                let status = try daemon.command("status")
                #expect(status.contains("not in use: part late: part late: port late bridge") && status.contains("not in use: part torn: "), "\(status)")
                let shown = try daemon.show("part", "show").items
                #expect(shown.map { $0["name"].string } == ["good", "late", "torn"] && shown.map { $0["problem"].string == nil } == [true, false, false])
                let file = try lab.write("more.yaml", configuration(lab).replacing("[{name: br0, rate: 10gbit}]", with: "[{name: br0, rate: 10gbit}, {name: br1}]"))
                #expect(try daemon.command("apply", file).contains("+ port late"))
                #expect(try daemon.port("late")["state"].string == "waiting")
                // The bridge cannot be removed while the part has a port on it.
                let refused = try daemon.sluice("apply", daemon.config)
                #expect(refused.status == 1 && refused.errors.hasPrefix("part late: port late bridge"), "\(refused.errors)")
                for name in ["late", "torn"] { try daemon.command("part", "del", name) }
                #expect(try daemon.command("apply", daemon.config).contains("- bridge br1"))
                #expect(try daemon.sluice("part", "del", "torn").errors.contains("no part is called torn: there are good"))
                #expect(try FileManager.default.contentsOfDirectory(atPath: lab.path("conf.d")) == ["good.yaml"])
                daemon.stop()
            }
        }

        @Test("a part is set, tried, shown and deleted by hand")
        func byHand() throws {
            try withLab { lab in
                let daemon = try Daemon(lab, configuration(lab))
                let yaml = "ports: [{name: p, type: vhost, bridge: br0, socket: \(lab.path("p"))}]   # mine\n"
                let file = try lab.write("p.yaml", yaml)
                #expect(try daemon.command("part", "set", "mine", file, "--dry-run").contains("+ port p"))
                #expect(try parts(daemon).isEmpty && !FileManager.default.fileExists(atPath: lab.path("conf.d/mine.yaml")))
                #expect(try daemon.command("part", "set", "mine", file).contains("+ port p"))
                #expect(try daemon.command("part", "show", "mine") == yaml)
                #expect(try daemon.command("part").contains("mine"))
                #expect(try String(contentsOfFile: lab.path("conf.d/mine.yaml"), encoding: .utf8) == yaml)
                #expect(try daemon.command("part", "set", "mine", file) == "nothing to change\n")
                // If a port cannot be opened, nothing of the new part is kept.
                let wrong = try lab.write("q.yaml", yaml.replacing(lab.path("p"), with: "\(lab.path("nowhere/p")), mode: server"))
                #expect(try daemon.sluice("part", "set", "mine", wrong).status == 1)
                #expect(try String(contentsOfFile: lab.path("conf.d/mine.yaml"), encoding: .utf8) == yaml)
                #expect(try daemon.command("part", "show", "mine") == yaml)
                #expect(try FileManager.default.contentsOfDirectory(atPath: lab.path("conf.d")) == ["mine.yaml"])
                // If the part's file cannot be written, the part is refused.
                try FileManager.default.removeItem(atPath: lab.path("conf.d"))
                _ = try lab.write("conf.d", "")
                let refused = try daemon.sluice("part", "set", "other", try lab.write("r.yaml", yaml.replacing("name: p", with: "name: r")))
                #expect(refused.status == 1 && refused.errors.contains(lab.path("conf.d")), "\(refused.errors)")
                #expect(try parts(daemon) == ["mine"])
                daemon.stop()
            }
        }

        @Test("the hook's script is put in place, stays out of the way of others' and goes")
        func install() throws {
            try withLab { lab in
                let root = lab.path("root"), script = "\(root)/etc/libvirt/hooks/qemu.d/50-sluice"
                func sluice(_ words: String...) throws -> Finished { try finish([Build.program("sluice"), "libvirt"] + words) }
                #expect(try sluice("install", "--root", root, "--program", Build.program("sluice")).output == "\(script) is in place\n")
                // This runs the script as libvirt does. Without a daemon it succeeds, and says on standard error why nothing was done.
                func call(_ words: String...) throws -> Finished {
                    let child = try ChildProcess([script] + words, environment: ["SLUICE_SOCKET": lab.path("away")], keepsInput: true)
                    defer { child.stop() }
                    try? child.write(domain(lab))
                    child.closeInput()
                    guard case .code(let status)? = child.waitForExit(until: .after(30)) else { throw LabError("it did not end") }
                    _ = child.errors.waitForEnd(until: .after(5))
                    return Finished(status: status, output: child.output.text, errors: child.errors.text, seconds: 0)
                }
                let result = try call("web", "prepare", "begin", "-")
                #expect(result.status == 0 && result.output.isEmpty && result.errors.contains("no daemon answers"), "\(result)")
                #expect(try sluice("install", "--root", root, "--program", Build.program("sluice"), "--strict").status == 0)
                #expect(try call("web", "prepare", "begin", "-").status == 1)
                #expect(try call("web", "reconnect", "begin", "-").status == 0)
                #expect(try FileManager.default.contentsOfDirectory(atPath: "\(root)/etc/libvirt/hooks/qemu.d") == ["50-sluice"])
                #expect(try sluice("uninstall", "--root", root).output == "\(script) is removed\n")
                #expect(try sluice("uninstall", "--root", root).output == "no hook of sluice's is there\n")
                try "#!/bin/sh\nexit 0\n".write(toFile: script, atomically: false, encoding: .utf8)
                let refused = try sluice("install", "--root", root)
                #expect(refused.status == 1 && refused.errors.contains("is there and not sluice's"), "\(refused)")
                _ = try sluice("uninstall", "--root", root)
                #expect(try String(contentsOfFile: script, encoding: .utf8) == "#!/bin/sh\nexit 0\n")
                let asking = "\(root)/usr/local/bin/ovs-vsctl"
                let second = lab.path("second")
                #expect(try sluice("install", "--root", second, "--statistics").output.contains("\(second)/usr/local/bin/ovs-vsctl is in place"))
                try FileManager.default.createDirectory(atPath: (asking as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
                try "#!/bin/sh\n".write(toFile: asking, atomically: false, encoding: .utf8)
                try FileManager.default.removeItem(atPath: script)
                #expect(try sluice("install", "--root", root, "--statistics").errors.contains("\(asking) is there and not sluice's"))
                let schema = try sluice("schema").output
                #expect(schema.contains("urn:sluice:libvirt:1") && schema.contains("http://relaxng.org/ns/structure/1.0"))
            }
        }

        @Test("what libvirt calls no hook for is read from the files of its running domains")
        func sync() throws {
            try withLab { lab in
                let daemon = try Daemon(lab, configuration(lab))
                let folder = lab.path("running")
                try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
                func running(_ xml: String) throws { _ = try lab.write("running/web.xml", "<domstatus state='running' pid='1'>\(xml)</domstatus>") }
                let words = ["libvirt", "sync", "--status", folder]
                #expect(try daemon.command(words).isEmpty)
                // This is a domain that started while the daemon was away.
                try running(domain(lab))
                #expect(try daemon.command(words).contains("+ guest web"))
                #expect(try daemon.command(words).isEmpty)
                try running(domain(lab, floor: "1500mbit"))
                #expect(try daemon.command(words).contains("~ guest web"))
                #expect(try daemon.classStatus("br0", "web")["floor"].int == 1_500_000_000)
                // A change that is refused is reported, and the domain keeps what it had.
                try running(domain(lab, floor: "20gbit"))
                let refused = try daemon.sluice(words)
                #expect(refused.status == 1 && refused.errors.contains("\(folder)/web.xml: "), "\(refused)")
                #expect(try daemon.classStatus("br0", "web")["floor"].int == 1_500_000_000)
                // The part of a domain without a file is not deleted at once, because the hook may just have set it.
                try FileManager.default.removeItem(atPath: "\(folder)/web.xml")
                #expect(try daemon.command(words).isEmpty)
                #expect(try parts(daemon) == ["libvirt-web"])

                try running(domain(lab, floor: "1500mbit"))
                let watch = try lab.start(Build.program("sluice"), "libvirt", "watch", "--every", "100ms", "--status", folder, "--socket", daemon.socket)
                try running(domain(lab, floor: "500mbit"))
                _ = try watch.waitForLine(in: watch.output, within: 30) { $0.contains("~ guest web") }
                #expect(try daemon.classStatus("br0", "web")["floor"].int == 500_000_000)
                daemon.stop()
            }
        }
    }
}
