"""Names for the people of the sample district, written for it: none is anyone's record.

All are at least five letters long and none is part of a word in the sample's content, so that a search for them in
the log or the store finds nothing but a leak.
"""

from __future__ import annotations

from typing import Final

GIVEN: Final = (
    "Aaliyah", "Abdullah", "Adriana", "Aiyana", "Alejandro", "Alessandra", "Amara", "Anahera", "Anders", "Anjali",
    "Antonella", "Aurelio", "Ayesha", "Beatriz", "Benedikt", "Bronwyn", "Camila", "Caoimhe", "Casimir", "Catalina",
    "Cheyenne", "Chidera", "Damaris", "Daniela", "Darnell", "Delphine", "Deshawn", "Dmitri", "Ebony", "Eduardo",
    "Efrain", "Elodie", "Emeka", "Esperanza", "Ezekiel", "Fatima", "Federica", "Fiadh", "Francisco", "Gabriela",
    "Genevieve", "Giovanni", "Guadalupe", "Hadiza", "Hamza", "Harriet", "Hiroshi", "Ibrahim", "Ignacio", "Imani",
    "Ingrid", "Isadora", "Jaheim", "Jamila", "Javier", "Jazmin", "Joaquin", "Josiah", "Kalani", "Kamala", "Kateri",
    "Keisha", "Khadija", "Kwame", "Lakshmi", "Lamar", "Leilani", "Lorenzo", "Lucinda", "Mahmoud", "Malik", "Marisol",
    "Mateusz", "Meera", "Miguel", "Mirembe", "Monique", "Naomi", "Natalia", "Nayeli", "Nikolai", "Oluwaseun",
    "Octavia", "Padraig", "Paloma", "Priyanka", "Quentin", "Rafaela", "Rashid", "Rigoberto", "Rosalind", "Roshni",
    "Saoirse", "Santiago", "Shanice", "Siobhan", "Soraya", "Sunniva", "Svetlana", "Takoda", "Tamika", "Tatiana",
    "Terrence", "Thandiwe", "Tomasz", "Tyrone", "Valentina", "Vikram", "Wambui", "Winona", "Xiomara", "Yasmin",
    "Yesenia", "Yolanda", "Yuki-Ann", "Zainab", "Zachary", "Zuleika",
)  # fmt: skip
"""Given names of students and staff."""

FAMILY: Final = (
    "Abernathy", "Achebe", "Adeyemi", "Aguilar", "Albrecht", "Alvarado", "Andersson", "Appiah", "Arroyo", "Balogun",
    "Barrera", "Bautista", "Begay", "Bianchi", "Blackhorse", "Boateng", "Callahan", "Camacho", "Cardenas", "Castellano",
    "Chakraborty", "Chavarria", "Contreras", "Dabrowski", "Delacroix", "Delgado", "Desrosiers", "Dinh-Tran", "Dlamini",
    "Dominguez", "Eriksen", "Escobedo", "Estrada", "Fagbemi", "Ferreira", "Figueroa", "Fitzgerald", "Fujimoto",
    "Galindo", "Gallagher", "Ghosh-Dastidar", "Goldberg", "Gutierrez", "Haddad", "Hakimi", "Hernandez", "Hinojosa",
    "Huang-Lopez", "Ibarra", "Iyer-Menon", "Jankowski", "Jaramillo", "Johansson", "Kaplan", "Karimov", "Kealoha",
    "Khalil", "Kowalczyk", "Krishnan", "Lefebvre", "Lindqvist", "Locklear", "Maldonado", "Manuelito", "Marchetti",
    "McAllister", "Mehrotra", "Mendoza", "Mukherjee", "Nakamura", "Navarro", "Nguyen-Pham", "Nkemelu", "Novakova",
    "Obradovic", "Ochieng", "Okafor", "Olofsson", "Onwudiwe", "Ortega", "Osei-Bonsu", "Pacheco", "Papadakis",
    "Petrosyan", "Quintero", "Rahimi", "Ramaswamy", "Redcloud", "Rivera-Cruz", "Rosenthal", "Saavedra", "Sandoval",
    "Schreiber", "Shapiro", "Siddiqui", "Silversmith", "Takahashi", "Tamayo", "Tesfaye", "Thibodeaux", "Tsosie",
    "Vandermeer", "Vasquez", "Velazquez", "Villanueva", "Watanabe", "Whitehorse", "Wisniewski", "Yamaguchi",
    "Yellowhair", "Zambrano", "Zielinski",
)  # fmt: skip
"""Family names of students and staff."""
