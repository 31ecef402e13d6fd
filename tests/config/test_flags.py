"""Tests of L{trickster.config.flags}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from trickster.config.flags import MisspeltFlag, normalised


class NormalisedTests(SynchronousTestCase):
    """Flags are accepted as the original's are."""

    def test_dashes(self) -> None:
        """A flag has one dash or two, and its value follows, or stands after an equals sign."""
        for words in (["-config", "x"], ["--config", "x"], ["-config=x"], ["--config=x"]):
            self.assertEqual(normalised(words), ["--config=x"])

    def test_switches(self) -> None:
        """Switches have no value, or one that Go takes for true or false."""
        for word in ("-version", "--version", "-version=true", "--version=1", "-version=T"):
            self.assertEqual(normalised([word]), ["--version"])
        self.assertEqual(normalised(["-validate-config=false", "-version=0"]), [])
        self.assertRaises(MisspeltFlag, normalised, ["-version=maybe"])

    def test_values_are_values(self) -> None:
        """What follows a flag is its value, even if it looks like a flag."""
        self.assertEqual(normalised(["-log-level", "-version", "-provider", "--config"]),
                         ["--log-level=-version", "--provider=--config"])
        self.assertEqual(normalised(["-origin-url=http://h/?a=b"]),
                         ["--origin-url=http://h/?a=b"])

    def test_missing_value(self) -> None:
        """A flag at the end lacks its value."""
        error = self.assertRaises(MisspeltFlag, normalised, ["-proxy-port"])
        self.assertEqual(str(error), "the flag -proxy-port needs a value")

    def test_others(self) -> None:
        """All other arguments are left to Twisted's parser."""
        words = ["-c", "x", "-cx", "-cconf.yaml", "-c/etc/config", "-h", "--unknown", "word",
                 "-", "--", "---config", "x"]
        self.assertEqual(normalised(words), words)

    def test_misspelt(self) -> None:
        """An unknown flag is reported whole, with a near one, and not by its first letter."""
        for word, meant in (("-proxy-prot", "proxy-port"), ("-confg", "config")):
            error = self.assertRaises(MisspeltFlag, normalised, [word, "1"])
            self.assertEqual(str(error), f"there is no flag {word}; did you mean '{meant}'?")
        error = self.assertRaises(MisspeltFlag, normalised, ["-xyz=1"])
        self.assertEqual(str(error), "there is no flag -xyz")

    def test_nothing_is_reparsed(self) -> None:
        """Normalised arguments are normalised to themselves."""
        once = normalised(["-config", "x", "-validate-config", "-c", "y"])
        self.assertEqual(normalised(once), once)
